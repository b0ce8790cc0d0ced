"""Squares of sums of outer products over positions: Σ_n Σ_s (Σ_p δ_s[n, o, p] u[n, k, p])² [o, k].

Seeds are gathered side by side, so that one matrix product per example serves many of them; each product is squared
while it is still in the cache. Squaring before the sum over positions would be another, wrong number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import torch
from torch import Tensor

ROWS_PER_PRODUCT = 384
NUMBERS_PER_BLOCK = {"cpu": 2**17, "cuda": 2**23}
Columns = Callable[[int, int], Tensor]


def rows_held(num_rows: int, num_grad_outputs: int) -> int:
    """How many δ of `num_rows` rows are gathered for one product."""
    num_products = max(1, ceil(num_grad_outputs * num_rows / ROWS_PER_PRODUCT))
    return max(1, ceil(num_grad_outputs / num_products))


def numbers_per_block(device: torch.device) -> int:
    """How many numbers a product holds: what a CPU's cache, or a GPU's launch cost, asks for."""
    return NUMBERS_PER_BLOCK.get(device.type, NUMBERS_PER_BLOCK["cuda"])


class OuterSquares:
    """Collects δ of shape [n, groups, o, p], pass by pass, against columns [n, groups, k, p] that are made block by block."""

    def __init__(
        self, delta_shape: tuple[int, int, int, int], num_columns: int, columns: Columns, num_grad_outputs: int, like: Tensor
    ) -> None:
        num_examples, groups, self._rows, positions = delta_shape
        self._columns = columns
        self._numbers_of_columns = max(1, groups * positions * num_columns)
        self._capacity = rows_held(self._rows, num_grad_outputs)
        self._held = like.new_empty(num_examples, groups, self._capacity * self._rows, positions)
        self._total = like.new_zeros(groups, self._capacity * self._rows, num_columns)
        self._num_held = 0

    def add(self, delta: Tensor) -> None:
        """Hold δ [n, groups, o, p] of one more backward pass."""
        start = self._num_held * self._rows
        self._held[:, :, start : start + self._rows].copy_(delta)
        self._num_held += 1
        if self._num_held == self._capacity:
            self._square()

    def total(self) -> Tensor:
        """The sum over all examples and backward passes: [groups * o, k]."""
        if self._num_held > 0:
            self._square()
        groups, _, num_columns = self._total.shape
        return self._total.view(groups, self._capacity, self._rows, num_columns).sum(1).flatten(0, 1)

    def _square(self) -> None:
        num_rows = self._num_held * self._rows
        held, total = self._held[:, :, :num_rows], self._total[:, :num_rows]
        numbers = numbers_per_block(total.device)
        together = numbers // max(1, total.numel())  # examples whose products are squared at once
        step = together if together > 1 else max(1, numbers // self._numbers_of_columns)
        for start in range(0, len(held), step):
            deltas, columns = held[start : start + step], self._columns(start, start + step).transpose(2, 3)
            if together > 1:
                total += (deltas @ columns).square_().sum(0)
            else:
                _add_squares(total.squeeze(0), deltas.squeeze(1).unbind(), columns.squeeze(1).unbind())
        self._num_held = 0


def _add_squares(total: Tensor, lefts: Sequence[Tensor], rights: Sequence[Tensor]) -> None:
    """total += Σ (left @ right)², one product after the other in the same memory."""
    product = torch.empty_like(total)
    for left, right in zip(lefts, rights, strict=True):
        torch.matmul(left, right, out=product)
        total.addcmul_(product, product)
