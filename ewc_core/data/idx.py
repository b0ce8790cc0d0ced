"""IDX files, the format of MNIST: a checked parser for gzipped unsigned bytes.

Layout: two zero bytes, a type byte (0x08: unsigned byte), the number of dimensions, each size as a big-endian 32-bit
number, then the values, last dimension fastest.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib

import torch
from torch import Tensor

from ewc_core.errors import StateFormatError

_UNSIGNED_BYTE = 0x08
_MAX_VALUES = 2**31


def read_idx(data: bytes, *, name: str, num_dimensions: int) -> Tensor:
    """The uint8 tensor in the bytes of a gzipped IDX file; `name` is the file's in messages.

    Raises:
        StateFormatError: not gzip, not IDX of unsigned bytes with `num_dimensions` dimensions, too short or too long.
    """
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            return _read(stream, name, num_dimensions)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise StateFormatError(f"{name}: not a complete gzip file: {error}") from error


def _read(stream: gzip.GzipFile, name: str, num_dimensions: int) -> Tensor:
    magic = stream.read(4)
    expected = bytes([0, 0, _UNSIGNED_BYTE, num_dimensions])
    if magic != expected:
        raise StateFormatError(f"{name}: an IDX file must begin with {expected.hex()}, this one begins with {magic.hex()!r}")
    sizes = stream.read(4 * num_dimensions)
    if len(sizes) != 4 * num_dimensions:
        raise StateFormatError(f"{name}: the header ends after {4 + len(sizes)} bytes, expected {4 + 4 * num_dimensions}")
    shape = [int.from_bytes(sizes[4 * axis : 4 * axis + 4], "big") for axis in range(num_dimensions)]
    count = math.prod(shape)
    if count > _MAX_VALUES:
        raise StateFormatError(f"{name}: the header announces shape {shape}, {count} values; at most {_MAX_VALUES} are read")
    body = stream.read(count + 1)
    if len(body) != count:
        raise StateFormatError(
            f"{name}: shape {shape} needs {count} bytes of values, the file has {'more' if len(body) > count else len(body)}"
        )
    if count == 0:
        raise StateFormatError(f"{name}: the file holds no values (shape {shape})")
    return torch.frombuffer(bytearray(body), dtype=torch.uint8).reshape(shape)
