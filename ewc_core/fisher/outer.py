"""Squares of sums of outer products over positions: Σ_n Σ_s (Σ_p δ_s[n, o, p] u[n, k, p])² [o, k].

Seeds are gathered side by side, so that one matrix product per example serves many of them; each product is squared
while it is still in the cache. Squaring before the sum over positions would be another, wrong number.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor

ROWS_PER_PRODUCT = 320
NUMBERS_PER_BLOCK = {"cpu": 2**17, "cuda": 2**23}
Columns = Callable[[int, int], Tensor]


def rows_held(num_rows: int, num_seeds: int) -> int:
    """How many seeds of `num_rows` rows are gathered for one product."""
    num_products = max(1, ceil(num_seeds * num_rows / ROWS_PER_PRODUCT))
    return max(1, ceil(num_seeds / num_products))


def numbers_per_block(device: torch.device) -> int:
    """How many numbers a product holds: what a CPU's cache, or a GPU's launch cost, asks for."""
    return NUMBERS_PER_BLOCK.get(device.type, NUMBERS_PER_BLOCK["cuda"])


def add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """total += left @ right in blocks of rows: [o, n] @ [n, k] in the inputs' dtype, added in that of `total`."""
    rows = max(1, numbers_per_block(total.device) // max(1, right.shape[1]))
    for start in range(0, len(total), rows):
        total[start : start + rows].view(-1, right.shape[1]).add_(left[start : start + rows] @ right)


class OuterSquares:
    """Collects δ of shape [n, groups, o, p] seed by seed against columns [n, groups, k, p] that are made block by block."""

    def __init__(
        self, delta_shape: tuple[int, int, int, int], num_columns: int, columns: Columns, num_seeds: int, like: Tensor
    ) -> None:
        num_examples, groups, self._rows, positions = delta_shape
        self._columns = columns
        self._capacity = rows_held(self._rows, num_seeds)
        self._held = like.new_empty(num_examples, groups, self._capacity * self._rows, positions)
        self._total = like.new_zeros(groups, self._capacity * self._rows, num_columns)
        self._num_held = 0

    def add(self, delta: Tensor) -> None:
        """Hold δ [n, groups, o, p] of one more seed."""
        start = self._num_held * self._rows
        self._held[:, :, start : start + self._rows].copy_(delta)
        self._num_held += 1
        if self._num_held == self._capacity:
            self._square()

    def total(self) -> Tensor:
        """The sum over all examples and seeds: [groups * o, k]."""
        if self._num_held > 0:
            self._square()
        groups, _, num_columns = self._total.shape
        return self._total.view(groups, self._capacity, self._rows, num_columns).sum(1).flatten(0, 1)

    def _square(self) -> None:
        num_rows = self._num_held * self._rows
        total = self._total[:, :num_rows]
        block = max(1, numbers_per_block(total.device) // total.numel())
        for start in range(0, len(self._held), block):
            stop = min(start + block, len(self._held))
            deltas, columns = self._held[start:stop, :, :num_rows], self._columns(start, stop).transpose(2, 3)
            if stop - start > 1:
                total += (deltas @ columns).square_().sum(0)
            elif len(total) > 1:
                product = torch.bmm(deltas[0], columns[0])
                total.addcmul_(product, product)
            else:
                product = torch.mm(deltas[0, 0], columns[0, 0])
                total[0].addcmul_(product, product)
        self._num_held = 0
