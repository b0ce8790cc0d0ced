"""Resume points: everything needed to continue a run bit for bit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError

_KIND = "ewc-resume-point"
_VERSION = "1"


@dataclass(frozen=True)
class ResumePoint:
    """Where a run stands, and its parameters and optimiser state.

    At a visit boundary `visit_index` is that of the next visit and `step` is 0. Random state is not in it: every
    generator derives from the job's seed and these counters.
    """

    visit_index: int
    step: int
    tensors: dict[str, Tensor]

    def to_bytes(self) -> bytes:
        """Safetensors bytes; the same point always gives the same bytes."""
        metadata = {"version": _VERSION, "visit_index": str(self.visit_index), "step": str(self.step)}
        return tensor_file.encode(self.tensors, metadata, kind=_KIND)

    @classmethod
    def from_bytes(cls, data: bytes) -> ResumePoint:
        """The point that `to_bytes` wrote.

        Raises:
            StateFormatError: the bytes are damaged, of another kind, or of another version.
        """
        tensors, metadata = tensor_file.decode(data, kind=_KIND)
        if metadata.get("version") != _VERSION:
            raise StateFormatError(f"resume point has version {metadata.get('version')!r}, expected {_VERSION!r}")
        return cls(_count(metadata, "visit_index"), _count(metadata, "step"), tensors)


def _count(metadata: dict[str, str], key: str) -> int:
    text = metadata.get(key, "")
    if not (text.isascii() and text.isdigit()):
        raise StateFormatError(f"resume point: {key} is {text!r}, expected a whole number")
    return int(text)
