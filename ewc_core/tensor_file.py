"""Named tensors and text metadata as safetensors bytes: deterministic to write, strict to read.

The library's own writer orders metadata by chance; here the same content always gives the same bytes. A SHA-256 over
everything else travels in the metadata, so that flipped bits are noticed where no store has checked them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.stored_tensors import Read, StoredTensor, StoredTensors

_DTYPES = {
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.int16: "I16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_NAMED = {name: dtype for dtype, name in _DTYPES.items()}
_HEADER_LENGTH_BYTES = 8


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and raw little-endian bytes, in sorted name order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        head = json.dumps([name, dtype_name(name, tensor), list(tensor.shape)])
        digest.update(head.encode() + b"\n")
        digest.update(_view(tensor))  # not copied: it may be a whole data set
    return digest.hexdigest()


def raw_bytes(tensor: Tensor) -> memoryview:
    """The little-endian bytes of a tensor of a stored dtype, in place where they are contiguous."""
    return _view(tensor)


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
    return b"".join(encode_parts(tensors, metadata, kind=kind))


def encode_parts(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, kind: str) -> list[memoryview]:
    """The bytes of `encode` in parts, the header first. They show the tensors' own memory (of a tensor that is not contiguous a
    copy): they are good until a tensor changes, and must be read before."""
    header: dict[str, object] = {}
    bodies, position = [], 0
    for name in sorted(tensors):
        body = _view(tensors[name])
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
    return [memoryview(len(text).to_bytes(_HEADER_LENGTH_BYTES, "little") + text), *bodies]


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


def open_stored(read: Read, size: int, *, kind: str) -> tuple[StoredTensors, dict[str, str]]:
    """Tensors and metadata of a stored file of `size` bytes made by `encode` with the same `kind`: the tensors stay where they
    are, and are read when they are looked at. Their values are not looked at here: whoever stores the file has checked them.

    Raises:
        StateFormatError: not safetensors, or of another kind.
    """
    try:
        start = _HEADER_LENGTH_BYTES + int.from_bytes(_joined(read(0, _HEADER_LENGTH_BYTES)), "little")
        if not _HEADER_LENGTH_BYTES < start <= size:
            raise ValueError(f"the header ends at byte {start}")
        header = json.loads(_joined(read(_HEADER_LENGTH_BYTES, start)))
        metadata = dict(header.pop("__metadata__"))
        index = {
            name: StoredTensor(start + entry["data_offsets"][0], _NAMED[entry["dtype"]], tuple(entry["shape"]))
            for name, entry in header.items()
        }
        end = start + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if end != size:
            raise ValueError(f"the last tensor ends at byte {end}")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise StateFormatError(f"{kind}: {size} bytes are not a valid safetensors file: {error}") from error
    if (found := metadata.pop("format", None)) != kind:
        raise StateFormatError(f"the file's format is {found!r}, expected {kind!r}")
    metadata.pop("sha256", None)
    return StoredTensors(index, read), metadata


def _joined(pieces: Iterable[bytes | memoryview]) -> bytes:
    return b"".join(pieces)


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:_HEADER_LENGTH_BYTES], "little")
    header = json.loads(data[_HEADER_LENGTH_BYTES : _HEADER_LENGTH_BYTES + length])
    return dict(header["__metadata__"])


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    text = json.dumps(dict(metadata), sort_keys=True) + tensors_sha256(tensors)
    return hashlib.sha256(text.encode()).hexdigest()


def _view(tensor: Tensor) -> memoryview:
    """Raw little-endian bytes, in the tensor's own memory where it is contiguous."""
    array = tensor.detach().contiguous().numpy()
    return array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data
