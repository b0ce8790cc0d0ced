"""What a score is made of: sums over examples, so that it can be taken on any sample of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Terms:
    """A score and the `rows` [n, d] in float64, one per example, of whose sums it is a function.

    `score_of(sums, counts)` gives the scores [B] of B samples from their sums [B, d] and their numbers of examples [B]; NaN
    where a sample has none. `value` is that of all examples, None where it is undefined; its last bits may be others, from sums
    in another order.
    """

    value: float | None
    rows: Tensor
    score_of: Callable[[Tensor, Tensor], Tensor]
