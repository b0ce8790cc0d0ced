"""`.safetensors` files of a user's arrays."""

from __future__ import annotations

import json
import math

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ewc_core.data.layout import FILE_FIELD, require_bearable_size, require_layout
from ewc_core.errors import StateFormatError

_LENGTH_BYTES = 8
_BYTES_OF_SMALL = {"U8": 1}
_BYTES_OF_LARGE = {"F64": 8, "I64": 8, "U64": 8}


def read_safetensors(data: bytes, where: str) -> dict[str, Tensor]:
    """The tensors in the bytes of a `.safetensors` file by name; `where` is the file's in messages.

    Raises:
        StateFormatError: not a safetensors file, or cut off.
        SpecError: other tensors than a data source has, or more than 4 GiB of numbers.
    """
    try:
        sizes = _announced_sizes(data)
        require_layout(set(sizes), where=where, field=FILE_FIELD)
        require_bearable_size(sizes, where=where, field=FILE_FIELD)
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateFormatError(f"{where}: not a readable safetensors file: {error}") from error


def _announced_sizes(data: bytes) -> dict[str, int]:
    """Bytes in memory by name, before any tensor is made: at least those of float32, except for bytes."""
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    header = json.loads(data[_LENGTH_BYTES : _LENGTH_BYTES + length])
    return {
        name: math.prod(entry["shape"]) * _BYTES_OF_SMALL.get(entry["dtype"], _BYTES_OF_LARGE.get(entry["dtype"], 4))
        for name, entry in header.items()
        if name != "__metadata__"
    }
