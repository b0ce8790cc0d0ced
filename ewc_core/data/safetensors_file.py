"""`.safetensors` files of a user's arrays."""

from __future__ import annotations

import math
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ewc_core.data.layout import FILE_FIELD, require_bearable_size, require_layout
from ewc_core.errors import StateFormatError

_BYTES_OF_SMALL = {"U8": 1}
_BYTES_OF_LARGE = {"F64": 8, "I64": 8, "U64": 8}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a `.safetensors` file by name.

    Raises:
        OSError: the file cannot be opened.
        StateFormatError: not a safetensors file, or cut off.
        SpecError: other tensors than a data source has, or more than 4 GiB of numbers.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            require_layout(set(names), where=path.name, field=FILE_FIELD)
            slices = {name: file.get_slice(name) for name in names}
            sizes = {name: math.prod(part.get_shape()) * _bytes_of(part.get_dtype()) for name, part in slices.items()}
            require_bearable_size(sizes, where=path.name, field=FILE_FIELD)
            # cloned: what the library returns may lie in the mapped file, which somebody may overwrite
            return {name: file.get_tensor(name).clone() for name in names}
    except SafetensorError as error:
        raise StateFormatError(f"{path.name}: not a readable safetensors file: {error}") from error


def _bytes_of(dtype: str) -> int:
    """Bytes that a number takes in memory: at least those of float32, except for bytes."""
    return _BYTES_OF_SMALL.get(dtype, _BYTES_OF_LARGE.get(dtype, 4))
