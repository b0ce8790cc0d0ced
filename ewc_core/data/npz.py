"""`.npz` files, numpy's zip archives of arrays: never with pickle, and nothing is unpacked before its size is known."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ewc_core.data.layout import FILE_FIELD, require_bearable_size, require_layout
from ewc_core.errors import SpecError, StateFormatError

_HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(data: bytes, where: str) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays in the bytes of an `.npz` file by name; `where` is the file's in messages.

    Raises:
        StateFormatError: not a zip archive of `.npy` files, or damaged.
        SpecError: other arrays than a data source has, arrays of Python objects, or more than 4 GiB of numbers.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            require_layout(set(members), where=where, field=FILE_FIELD)
            sizes = {name: _announced_size(archive, member, where) for name, member in members.items()}
            require_bearable_size(sizes, where=where, field=FILE_FIELD)
            return {name: _read(archive, member) for name, member in members.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, RuntimeError) as error:
        raise StateFormatError(f"{where}: not a readable .npz file: {error}") from error


def _announced_size(archive: zipfile.ZipFile, member: str, where: str) -> int:
    """Bytes in memory, as float32 where the numbers are smaller than that but not bytes."""
    with archive.open(member) as stream:
        shape, dtype, header_size = _header(stream, member)
    if dtype.hasobject:
        raise SpecError(f"{where}: {member} holds Python objects, which are pickled and never read", field=FILE_FIELD)
    count = math.prod(shape)
    body = archive.getinfo(member).file_size - header_size
    if body != count * dtype.itemsize:
        raise StateFormatError(f"{where}: {member} announces {dtype} of shape {list(shape)}, but has {body} bytes of values")
    return count * (1 if dtype == np.uint8 else max(dtype.itemsize, 4))


def _header(stream: IO[bytes], member: str) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    version = npy.read_magic(stream)
    if version not in _HEADER_READERS:
        raise ValueError(f"{member} has the .npy version {version}, expected one of {sorted(_HEADER_READERS)}")
    shape, _, dtype = _HEADER_READERS[version](stream)
    return shape, dtype, stream.tell()


def _read(archive: zipfile.ZipFile, member: str) -> np.ndarray[Any, Any]:
    with archive.open(member) as stream:
        array: np.ndarray[Any, Any] = npy.read_array(stream, allow_pickle=False)
        if stream.read(1):  # reading past the end is also what makes zipfile compare the checksum
            raise ValueError(f"{member} goes on after its values")
    return array
