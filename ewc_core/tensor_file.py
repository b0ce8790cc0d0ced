"""Named tensors and text metadata as safetensors bytes: deterministic to write, strict to read.

The library's own writer orders metadata by chance; here the same content always gives the same bytes. A SHA-256 over
everything else travels in the metadata, so that flipped bits are noticed where no store has checked them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ewc_core.errors import StateFormatError

_DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int16: "I16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_HEADER_LENGTH_BYTES = 8


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and raw little-endian bytes, in sorted name order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        head = json.dumps([name, dtype_name(name, tensor), list(tensor.shape)])
        digest.update(head.encode() + b"\n")
        digest.update(_array(tensor).reshape(-1).view(np.uint8).data)  # not copied: it may be a whole data set
    return digest.hexdigest()


def raw_bytes(tensor: Tensor) -> memoryview:
    """The little-endian bytes of a tensor of a stored dtype, in place where they are contiguous."""
    return _array(tensor).reshape(-1).view(np.uint8).data


def raw_tensor(data: bytes, *, dtype: str, shape: Sequence[int]) -> Tensor:
    """A tensor of its own with the bytes that `raw_bytes` gave; `dtype` as `dtype_name` says it.

    Raises:
        StateFormatError: the dtype is unknown, or the number of bytes is not that of the shape.
    """
    known = {name: kind for kind, name in _DTYPES.items()}
    if dtype not in known:
        raise StateFormatError(f"a tensor has dtype {dtype!r}, expected one of {sorted(known)}")
    if len(data) != math.prod(shape) * known[dtype].itemsize:
        raise StateFormatError(f"a tensor of dtype {dtype} and shape {list(shape)} has {len(data)} bytes")
    return torch.frombuffer(bytearray(data), dtype=known[dtype]).reshape(list(shape))


def dtype_name(name: str, tensor: Tensor) -> str:
    """The stored name of a tensor's dtype; `name` is the tensor's own, for the error.

    Raises:
        StateFormatError: tensors of this dtype are not stored.
    """
    if tensor.dtype not in _DTYPES:
        raise StateFormatError(f"tensor {name!r} has dtype {tensor.dtype}, which is not stored; expected one of {list(_DTYPES)}")
    return _DTYPES[tensor.dtype]


def encode(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, kind: str) -> bytes:
    """Safetensors bytes of `tensors`; `kind` and a checksum join the metadata. Same content, same bytes."""
    header: dict[str, object] = {}
    bodies, position = [], 0
    for name in sorted(tensors):
        body = _raw(tensors[name])
        header[name] = {
            "dtype": dtype_name(name, tensors[name]),
            "shape": list(tensors[name].shape),
            "data_offsets": [position, position + len(body)],
        }
        bodies.append(body)
        position += len(body)
    stamped = {**metadata, "format": kind}
    header["__metadata__"] = {**stamped, "sha256": _checksum(tensors, stamped)}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(_HEADER_LENGTH_BYTES, "little"), text, *bodies])


def decode(data: bytes, *, kind: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of bytes made by `encode` with the same `kind`.

    Raises:
        StateFormatError: not safetensors, of another kind, or damaged.
    """
    try:
        tensors = safetensors.torch.load(data)
        metadata = _metadata(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise StateFormatError(f"{kind}: {len(data)} bytes are not a valid safetensors file: {error}") from error
    if metadata.get("format") != kind:
        raise StateFormatError(f"the file's format is {metadata.get('format')!r}, expected {kind!r}")
    checksum = metadata.pop("sha256", None)
    for name, tensor in tensors.items():
        if tensor.dtype not in _DTYPES:
            raise StateFormatError(f"{kind}: tensor {name!r} has dtype {tensor.dtype}, expected one of {list(_DTYPES.values())}")
    if checksum != _checksum(tensors, metadata):
        raise StateFormatError(f"{kind}: the checksum does not match the content; the bytes are damaged")
    del metadata["format"]
    return tensors, metadata


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "little")
    header = json.loads(data[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + length])
    return dict(header["__metadata__"])


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    text = json.dumps(dict(metadata), sort_keys=True) + tensors_sha256(tensors)
    return hashlib.sha256(text.encode()).hexdigest()


def _raw(tensor: Tensor) -> bytes:
    return _array(tensor).tobytes()


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    array = tensor.detach().contiguous().numpy()
    return array.astype(array.dtype.newbyteorder("<"), copy=False)
