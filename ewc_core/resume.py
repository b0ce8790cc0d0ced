"""Resume points: everything needed to continue a run bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError
from ewc_core.stored_tensors import Read

_KIND = "ewc-resume-point"
_VERSION = "1"


@dataclass(frozen=True)
class ResumePoint:
    """Where a run stands, and everything that the rest depends on besides the spec, the data and the stored constraints.

    At a visit boundary `visit_index` is that of the next visit and `step` is 0. `tensors` are the run's own: parameters and
    the state of what trains them; of agents also environments, recogniser, random generators and the marks of their replays,
    whose transitions lie in files. What is drawn anew for each step is not there: it derives from the job's seed and the
    step. They may be `StoredTensors`. `digests` are those of the data read so far, by name.
    """

    visit_index: int
    step: int
    tensors: Mapping[str, Tensor]
    digests: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Safetensors bytes; the same point always gives the same bytes."""
        return b"".join(self.parts())

    def parts(self) -> list[memoryview]:
        """The bytes of `to_bytes`, one part after the other; see `tensor_file.encode_parts`."""
        metadata = {"version": _VERSION, "visit_index": str(self.visit_index), "step": str(self.step)}
        if self.digests:
            metadata["digests"] = json.dumps(dict(self.digests), sort_keys=True)
        return tensor_file.encode_parts(self.tensors, metadata, kind=_KIND)

    @classmethod
    def from_bytes(cls, data: bytes) -> ResumePoint:
        """The point that `to_bytes` wrote.

        Raises:
            StateFormatError: the bytes are damaged, of another kind, or of another version.
        """
        return cls._of(*tensor_file.decode(data, kind=_KIND))

    @classmethod
    def open(cls, read: Read, size: int) -> ResumePoint:
        """The point that `to_bytes` wrote, whose tensors stay in the stored file of `size` bytes.

        Raises:
            StateFormatError: it is of another kind, or of another version. Tensors are not looked at.
        """
        return cls._of(*tensor_file.open_stored(read, size, kind=_KIND))

    @classmethod
    def _of(cls, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> ResumePoint:
        if metadata.get("version") != _VERSION:
            raise StateFormatError(f"resume point has version {metadata.get('version')!r}, expected {_VERSION!r}")
        return cls(_count(metadata, "visit_index"), _count(metadata, "step"), tensors, _digests(metadata))


def _count(metadata: Mapping[str, str], key: str) -> int:
    text = metadata.get(key, "")
    if not (text.isascii() and text.isdigit()):
        raise StateFormatError(f"resume point: {key} is {text!r}, expected a whole number")
    return int(text)


def _digests(metadata: Mapping[str, str]) -> dict[str, str]:
    try:
        digests = json.loads(metadata.get("digests", "{}"))
    except ValueError as error:
        raise StateFormatError(f"resume point: digests cannot be read: {error}") from error
    if not isinstance(digests, dict) or not all(isinstance(value, str) for value in digests.values()):
        raise StateFormatError("resume point: digests are no texts by name")
    return digests
