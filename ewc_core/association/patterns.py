"""Random patterns and labels of a batch of repeats, kept as bits: an eighth of a byte per synapse and pattern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ewc_core.seeding import generator

BLOCK_ELEMENTS = 1 << 20
"""Patterns are unpacked about 4 MiB of float32 at a time."""


@dataclass(frozen=True)
class Patterns:
    """Patterns x in {±1/√n}ⁿ and labels y = ±1 of R repeats, T patterns each.

    bits: uint8 [R, T, ⌈n/8⌉], eight synapses to a byte; labels: float32 [T, R].
    """

    bits: Tensor
    labels: Tensor
    num_synapses: int

    @property
    def num_patterns(self) -> int:
        return self.bits.shape[1]

    @property
    def num_repeats(self) -> int:
        return self.bits.shape[0]

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """(first, x) for consecutive blocks: x is float32 [block, R, n] with patterns first + 1, first + 2, …"""
        size = max(1, min(256, BLOCK_ELEMENTS // (self.num_repeats * max(self.num_synapses, 64))))
        for first in range(0, self.num_patterns, size):
            yield first, self._unpack(first, min(first + size, self.num_patterns))

    def _unpack(self, first: int, stop: int) -> Tensor:
        packed = self.bits[:, first:stop].transpose(0, 1).numpy()
        signs = torch.from_numpy(np.unpackbits(packed, axis=-1, count=self.num_synapses)).to(torch.float32)
        scale = self.num_synapses**-0.5
        return signs.mul_(2.0 * scale).sub_(scale)


def draw_patterns(seed: int, repeats: Sequence[int], *, num_synapses: int, num_patterns: int) -> Patterns:
    """The patterns of the given repeats. They depend on the seed and the repeat's number alone: every rule sees the same
    ones, however the repeats are cut into batches."""
    bits, labels = [], []
    for repeat in repeats:
        source = generator(seed, "association", "patterns", repeat)
        bits.append(torch.randint(256, (num_patterns, -(-num_synapses // 8)), dtype=torch.uint8, generator=source))
        labels.append(torch.randint(2, (num_patterns,), dtype=torch.int64, generator=source))
    signs = torch.stack(labels, dim=1).to(torch.float32).mul_(2.0).sub_(1.0)
    return Patterns(bits=torch.stack(bits), labels=signs, num_synapses=num_synapses)
