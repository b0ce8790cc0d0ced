"""Whether a penalty can be stepped on explicitly."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ewc_core.blocks import blocks


@dataclass(frozen=True)
class ExplicitStep:
    """`largest` is max lr·P; from `limit` = 2 (1 + μ) on, explicit descent on ½ P (θ − m)² diverges.

    `num_unstable` counts the coordinates at or beyond the limit.
    """

    largest: float
    limit: float
    num_unstable: int

    @classmethod
    def nothing(cls, *, momentum: float) -> ExplicitStep:
        """That of no penalty."""
        return cls(0.0, 2.0 * (1.0 + momentum), 0)

    @property
    def is_unstable(self) -> bool:
        """Whether any coordinate diverges; the proximal step never does."""
        return self.num_unstable > 0


def explicit_step_limit(precision: Tensor, rate: float, *, momentum: float = 0.0) -> ExplicitStep:
    """How near the explicit step of size `rate` is to its limit for a merged precision [num_parameters]."""
    largest, limit, num_unstable = 0.0, 2.0 * (1.0 + momentum), 0
    for (block,) in blocks(precision):
        strength = rate * block.double()
        largest = max(largest, float(strength.max()))
        num_unstable += int((strength >= limit).sum())
    return ExplicitStep(largest, limit, num_unstable)
