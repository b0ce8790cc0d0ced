"""The implicit step on the merged penalty: stable for any precision.

θ ← (θ + ηPm) / (1 + ηP) = θ + w (m − θ) with w = ηP / (1 + ηP) in [0, 1] (paper.md 2.4). With a data step
θ ← θ − ηg before it, the fixed point is g + P(θ − m) = 0 for every η, per coordinate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.consolidation.merge import Quadratic

_LARGEST_STRENGTH = 1e37
"""Bound on lr·P, so that it stays finite in float32; w rounds to 1 long before."""


def proximal_weight(precision: Tensor, rate: float) -> Tensor:
    """w = ηP / (1 + ηP) for one step size η; computed in float64, returned in the precision's dtype."""
    strength = rate * precision.double()
    return (strength / (1.0 + strength)).to(precision.dtype)


def proximal_step(values: Tensor, centre: Tensor, weight: Tensor) -> None:
    """values ← values + weight (centre − values), in place: no-op where weight is 0, exactly centre where it is 1."""
    values.lerp_(centre, weight)


class AdaptiveProximalStep:
    """The proximal step with Adam's own step size per coordinate: η = lr / (√v̂ + eps).

    w = lr·P / (√v̂ + eps + lr·P). What does not change between steps is computed once: four passes over the
    parameters remain. v̂ must come from the data gradient alone.
    """

    def __init__(self, quadratic: Quadratic, *, learning_rate: float, eps: float) -> None:
        self._centre = quadratic.centre
        self._strength = (learning_rate * quadratic.precision.double()).clamp_max(_LARGEST_STRENGTH).to(quadratic.precision.dtype)
        self._strength_and_eps = self._strength + eps
        self._scratch = torch.empty_like(self._strength)

    def apply(self, values: Tensor, second_moment: Tensor, *, bias_correction: float) -> None:
        """One step on `values`, in place; v̂ = second_moment / bias_correction, with bias_correction = 1 − β₂^t."""
        torch.sqrt(second_moment, out=self._scratch)
        torch.add(self._strength_and_eps, self._scratch, alpha=bias_correction**-0.5, out=self._scratch)
        torch.div(self._strength, self._scratch, out=self._scratch)
        values.lerp_(self._centre, self._scratch)
