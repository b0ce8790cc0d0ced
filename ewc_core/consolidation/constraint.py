"""The diagonal constraint of one task: Fisher diagonal, anchor and strength."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import torch
from torch import Tensor

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError
from ewc_core.fisher.info import FisherInfo
from ewc_core.stored_tensors import Read

_KIND = "ewc-constraint"
_VERSION = "1"
_ANCHOR, _FISHER = "anchor.", "fisher."


@dataclass(frozen=True)
class Constraint:
    """A `TaskConstraint`: ½ · ewc_lambda · Σ_i fisher_i (θ_i − anchor_i)², by parameter name.

    `anchor` holds the parameters at the end of the task, `fisher` the Fisher diagonal there (a mean over examples of
    per-example squares). Both are float32 and have the network's names and shapes. They may be `StoredTensors`.
    """

    task_index: int
    fisher: Mapping[str, Tensor]
    anchor: Mapping[str, Tensor]
    ewc_lambda: float
    info: FisherInfo

    def to_bytes(self) -> bytes:
        """Safetensors bytes with tensors `anchor.<parameter>` and `fisher.<parameter>`; deterministic."""
        return b"".join(self.parts())

    def parts(self) -> list[memoryview]:
        """The bytes of `to_bytes`, one part after the other; see `tensor_file.encode_parts`."""
        tensors = {_ANCHOR + name: tensor for name, tensor in self.anchor.items()}
        tensors |= {_FISHER + name: tensor for name, tensor in self.fisher.items()}
        metadata = {
            "version": _VERSION,
            "task_index": json.dumps(self.task_index),
            "ewc_lambda": json.dumps(self.ewc_lambda),
            "info": json.dumps(asdict(self.info), sort_keys=True),
        }
        return tensor_file.encode_parts(tensors, metadata, kind=_KIND)

    @classmethod
    def open(cls, read: Read, size: int) -> Constraint:
        """The constraint that `to_bytes` wrote, whose tensors stay in the stored file of `size` bytes.

        Raises:
            StateFormatError: it is of another kind or version, or lacks tensors. Values are not looked at.
        """
        tensors, metadata = tensor_file.open_stored(read, size, kind=_KIND)
        _check_version(metadata)
        fisher, anchor = tensors.only(_FISHER), tensors.only(_ANCHOR)
        if len(fisher) + len(anchor) != len(tensors) or set(fisher) != set(anchor):
            raise StateFormatError(f"constraint: unexpected tensors in {sorted(tensors)}; expected anchor.* and fisher.* only")
        return cls(_task_index(metadata), fisher, anchor, _ewc_lambda(metadata), _info(metadata))

    @classmethod
    def from_bytes(cls, data: bytes) -> Constraint:
        """The constraint that `to_bytes` wrote.

        Raises:
            StateFormatError: the bytes are damaged, of another kind or version, or hold values that no constraint has.
        """
        tensors, metadata = tensor_file.decode(data, kind=_KIND)
        _check_version(metadata)
        fisher = {name.removeprefix(_FISHER): tensor for name, tensor in tensors.items() if name.startswith(_FISHER)}
        anchor = {name.removeprefix(_ANCHOR): tensor for name, tensor in tensors.items() if name.startswith(_ANCHOR)}
        _check_tensors(tensors, fisher, anchor)
        return cls(_task_index(metadata), fisher, anchor, _ewc_lambda(metadata), _info(metadata))


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of a network's weights: names, dtypes, shapes and raw bytes in sorted name order."""
    return tensor_file.tensors_sha256(weights)


def _check_version(metadata: Mapping[str, str]) -> None:
    if metadata.get("version") != _VERSION:
        raise StateFormatError(f"constraint has version {metadata.get('version')!r}, expected {_VERSION!r}")


def _check_tensors(tensors: Mapping[str, Tensor], fisher: Mapping[str, Tensor], anchor: Mapping[str, Tensor]) -> None:
    if len(fisher) + len(anchor) != len(tensors):
        raise StateFormatError(f"constraint: unexpected tensors in {sorted(tensors)}; expected anchor.* and fisher.* only")
    shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in fisher.items()}
    if shapes != {name: (tensor.shape, tensor.dtype) for name, tensor in anchor.items()}:
        raise StateFormatError("constraint: fisher and anchor differ in names, shapes or dtypes")
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32:
            raise StateFormatError(f"constraint: tensor {name!r} has dtype {tensor.dtype}, expected torch.float32")
        if not bool(torch.isfinite(tensor).all()):
            raise StateFormatError(f"constraint: tensor {name!r} holds NaN or infinity")
    for name, tensor in fisher.items():
        if bool((tensor < 0).any()):
            raise StateFormatError(f"constraint: fisher of {name!r} has negative entries")


def _value(metadata: Mapping[str, str], key: str) -> object:
    try:
        value: object = json.loads(metadata[key])
    except (KeyError, ValueError) as error:
        raise StateFormatError(f"constraint: metadata {key!r} is {metadata.get(key)!r}, expected JSON") from error
    return value


def _task_index(metadata: Mapping[str, str]) -> int:
    value = _value(metadata, "task_index")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise StateFormatError(f"constraint: task_index is {value!r}, expected a whole number")
    return value


def _ewc_lambda(metadata: Mapping[str, str]) -> float:
    value = _value(metadata, "ewc_lambda")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise StateFormatError(f"constraint: ewc_lambda is {value!r}, expected a finite number >= 0")
    return float(value)


def _info(metadata: Mapping[str, str]) -> FisherInfo:
    value = _value(metadata, "info")
    names = {field.name for field in fields(FisherInfo)}
    if not isinstance(value, dict) or set(value) != names:
        raise StateFormatError(f"constraint: info is {value!r}, expected an object with {sorted(names)}")
    return FisherInfo(**value)
