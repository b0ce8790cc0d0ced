"""The implicit step on the merged penalty: stable for any precision.

θ ← (θ + ηPm) / (1 + ηP) = θ + w (m − θ) with w = ηP / (1 + ηP) in [0, 1]. With a data step
θ ← θ − ηg before it, the fixed point is g + P(θ − m) = 0 for every η, per coordinate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.consolidation.merge import Quadratic

LARGEST_STRENGTH = 1e37
"""Bound on lr·P, so that it stays finite in float32; w rounds to 1 long before."""

FIRST_STEPS, REFRESH_EVERY = 16, 8


def proximal_weight(precision: Tensor, rate: float) -> Tensor:
    """w = ηP / (1 + ηP) for one step size η; computed in float64, returned in the precision's dtype."""
    strength = rate * precision.double()
    return (strength / (1.0 + strength)).to(precision.dtype)


def proximal_step(values: Tensor, centre: Tensor, weight: Tensor) -> None:
    """values ← values + weight (centre − values), in place: no-op where weight is 0, exactly centre where it is 1."""
    values.lerp_(centre, weight)


def refreshed_at(step: int) -> int:
    """The step in which the adaptive weight of step `step` of a visit (from 1) is made: itself up to 16, then the last eighth.

    √v̂ is an average over the steps so far (β₂ = 0.999 for Adam, α = 0.99 for RMSProp), so after the first few it hardly
    moves in eight, and at rest not at all: the fixed point is the same. Computing it costs five times as much as using it.
    """
    return step if step <= FIRST_STEPS else step - step % REFRESH_EVERY


class AdaptiveWeight:
    """The weight for Adam and RMSProp, with their own step size per coordinate: η = lr/d, d = √v̂ + eps: w = lr·P/(d + lr·P).

    v̂ must come from the data gradient alone; a scalar step size beside an adaptive data step would change what is
    minimised.
    """

    def __init__(self, quadratic: Quadratic, *, learning_rate: float, eps: float) -> None:
        strength = (learning_rate * quadratic.precision.double()).clamp_max(LARGEST_STRENGTH)
        self._strength = strength.to(quadratic.precision.dtype)
        self._strength_and_eps = (strength + eps).to(quadratic.precision.dtype)

    def compute(self, second_moment: Tensor, *, bias_correction: float = 1.0, out: Tensor) -> None:
        """Write w into `out`; v̂ = second_moment / bias_correction.

        `bias_correction` is 1 − β₂^t for Adam, and 1 for RMSProp (not centred, eps outside the root), which corrects none.
        """
        torch.sqrt(second_moment, out=out)
        torch.add(self._strength_and_eps, out, alpha=bias_correction**-0.5, out=out)
        torch.div(self._strength, out, out=out)
