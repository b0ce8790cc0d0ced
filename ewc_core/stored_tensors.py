"""Named tensors that stay where they are stored: each is read when it is looked at, whole or in part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ewc_core.errors import StateFormatError

Read = Callable[[int, int], Iterable[bytes | memoryview]]
"""Bytes `begin` to `end` (exclusive) of a stored file, in pieces."""


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies: its first byte in the file, its dtype and its shape."""

    begin: int
    dtype: torch.dtype
    shape: tuple[int, ...]


class StoredTensors(Mapping[str, Tensor]):
    """Tensors of one file by name. Every look reads anew and gives a tensor of its own."""

    def __init__(self, index: Mapping[str, StoredTensor], read: Read) -> None:
        self._index, self._read = dict(index), read

    def __getitem__(self, name: str) -> Tensor:
        stored = self._index[name]
        return self.part(name, 0, math.prod(stored.shape)).view(stored.shape)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor, which is not read."""
        return self._index[name].shape

    def part(self, name: str, start: int, stop: int) -> Tensor:
        """Entries `start` to `stop` (exclusive) of a tensor, flat: [stop − start].

        Raises:
            StateFormatError: the file is shorter than its index says.
        """
        stored = self._index[name]
        size = stored.dtype.itemsize
        result, position = torch.empty(stop - start, dtype=stored.dtype), 0
        read = result.numpy().view(np.uint8)
        for piece in self._read(stored.begin + start * size, stored.begin + stop * size):
            read[position : position + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
            position += len(piece)
        if position != len(read):
            raise StateFormatError(f"tensor {name!r} ends after {position} of {len(read)} bytes")
        return result

    def only(self, prefix: str) -> StoredTensors:
        """Those whose names begin with `prefix`, under the rest of their names."""
        index = {name.removeprefix(prefix): stored for name, stored in self._index.items() if name.startswith(prefix)}
        return StoredTensors(index, self._read)


def part_of(tensors: Mapping[str, Tensor], name: str, start: int, stop: int) -> Tensor:
    """Entries `start` to `stop` of a tensor, flat; of a stored one nothing else is read. Read only."""
    if isinstance(tensors, StoredTensors):
        return tensors.part(name, start, stop)
    return tensors[name].detach().reshape(-1)[start:stop]


def shape_of(tensors: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    """The shape of a tensor; a stored one is not read."""
    return tensors.shape(name) if isinstance(tensors, StoredTensors) else tuple(tensors[name].shape)
