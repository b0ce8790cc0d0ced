"""The state in a snapshot: what a run remembers between two visits, as a description and parts that are stored by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError
from ewc_core.resume import ResumePoint

OWN_PART_BYTES = 2**16
"""A tensor of at least so many bytes is a part of its own: where it has not changed, nothing of it is stored again."""
SMALL = "small"
"""The part that holds all smaller tensors."""
_KIND = "ewc-snapshot"
_VERSION = 1


@dataclass(frozen=True)
class PackedState:
    """`described` can be written as JSON and names every tensor; `parts` are the bytes, by name. A large tensor's part is its
    raw bytes, little-endian, whatever its name: equal tensors have equal parts."""

    described: dict[str, Any]
    parts: dict[str, memoryview]


def pack(point: ResumePoint) -> PackedState:
    """The state at a point between two visits.

    Raises:
        ValueError: a visit is under way at the point.
    """
    if point.step != 0:
        raise ValueError(f"the point is at step {point.step} of visit {point.visit_index}; a snapshot is taken between visits")
    large = {name: tensor for name, tensor in point.tensors.items() if tensor.nbytes >= OWN_PART_BYTES}
    small = {name: tensor for name, tensor in point.tensors.items() if name not in large}
    parts = {f"tensor/{name}": tensor_file.raw_bytes(tensor) for name, tensor in sorted(large.items())}
    described = {
        "version": _VERSION,
        "next_visit": point.visit_index,
        "digests": dict(point.digests),
        "small": sorted(small),
        "large": {
            name: {"dtype": tensor_file.dtype_name(name, tensor), "shape": list(tensor.shape), "part": f"tensor/{name}"}
            for name, tensor in sorted(large.items())
        },
    }
    return PackedState(described, {SMALL: memoryview(tensor_file.encode(small, {}, kind=_KIND)), **parts})


def unpack(described: Mapping[str, Any], read: Callable[[str], bytes]) -> ResumePoint:
    """The point that `pack` packed; `read` gives the bytes of a part.

    Raises:
        StateFormatError: the description is of another version, or the parts are not those that it describes.
    """
    if described.get("version") != _VERSION:
        raise StateFormatError(f"the snapshot has version {described.get('version')!r}, expected {_VERSION}")
    tensors, _ = tensor_file.decode(read(SMALL), kind=_KIND)
    if sorted(tensors) != described["small"]:
        raise StateFormatError(f"the snapshot holds {sorted(tensors)[:8]}, expected {described['small'][:8]}")
    for name, entry in described["large"].items():
        tensors[name] = tensor_file.raw_tensor(read(entry["part"]), dtype=entry["dtype"], shape=entry["shape"])
    return ResumePoint(described["next_visit"], 0, tensors, described["digests"])
