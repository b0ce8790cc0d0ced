"""The implicit step on a diagonal penalty: stable for any precision.

θ ← (θ + ηPm) / (1 + ηP) = θ + w (m − θ) with w = ηP / (1 + ηP) in [0, 1]. With a data step
θ ← θ − ηg before it, the fixed point is g + P(θ − m) = 0 for every η, per coordinate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.blocks import blocks

LARGEST_STRENGTH = 1e37
"""Bound on lr·P, so that it stays finite in float32; w rounds to 1 long before."""

FIRST_STEPS, REFRESH_EVERY = 16, 8

IN_CACHE = 2**15
"""So many numbers at a time, where an operation is to find in the cache what the one before it wrote."""


def proximal_weight(precision: Tensor, rate: float) -> Tensor:
    """w = ηP / (1 + ηP) for one step size η; computed in float64, returned in the precision's dtype."""
    weight = torch.empty_like(precision)
    for of_block, written in blocks(precision, weight):
        strength = rate * of_block.double()
        written.copy_(strength / (1.0 + strength))
    return weight


def strength_of(precision: Tensor, learning_rate: float) -> Tensor:
    """lr·P in float64, bounded; [n]."""
    return (learning_rate * precision.double()).clamp_max_(LARGEST_STRENGTH)


def strengths(precision: Tensor, *, learning_rate: float, eps: float) -> tuple[Tensor, Tensor]:
    """lr·P and lr·P + eps, each rounded once; [n]."""
    strength = strength_of(precision, learning_rate)
    return strength.to(precision.dtype), (strength + eps).to(precision.dtype)


def write_adaptive_weight(
    out: Tensor,
    precision: Tensor,
    second_moment: Tensor,
    *,
    learning_rate: float,
    eps: float,
    bias_correction: float = 1.0,
    kept: tuple[Tensor, Tensor] | None = None,
) -> None:
    """The weight beside Adam and RMSProp, with their own step size per coordinate: η = lr/d, d = √v̂ + eps: w = lr·P/(d + lr·P).

    v̂ = second_moment / bias_correction must come from the data gradient alone; a scalar step size beside an adaptive data
    step would change what is minimised. `kept` are the `strengths`, where there is memory for them.
    """
    if kept is None and len(out) > IN_CACHE:
        for parts in zip(*(torch.split(vector, IN_CACHE) for vector in (out, precision, second_moment)), strict=True):
            write_adaptive_weight(*parts, learning_rate=learning_rate, eps=eps, bias_correction=bias_correction)
        return
    strength, strength_and_eps = kept or strengths(precision, learning_rate=learning_rate, eps=eps)
    torch.sqrt(second_moment, out=out)
    torch.add(strength_and_eps, out, alpha=bias_correction**-0.5, out=out)
    torch.div(strength, out, out=out)


def weightless_step(
    values: Tensor,
    centre: Tensor,
    precision: Tensor,
    second_moment: Tensor,
    *,
    learning_rate: float,
    eps: float,
    bias_correction: float = 1.0,
) -> None:
    """The step of `write_adaptive_weight` and `proximal_step` up to rounding, no weight in memory: w = 1 / (1 + d/(lr·P))."""
    weight, floor = torch.empty(IN_CACHE, dtype=values.dtype), torch.tensor(eps / learning_rate, dtype=values.dtype)
    vectors = (values, centre, precision, second_moment)
    for some, at, held, moment in zip(*(torch.split(vector, IN_CACHE) for vector in vectors), strict=True):
        part = torch.sqrt(moment, out=weight[: len(some)])
        torch.add(floor, part, alpha=bias_correction**-0.5 / learning_rate, out=part)  # d/lr > 0: without precision w is 0
        proximal_step(some, at, part.div_(held).add_(1.0).reciprocal_())


def proximal_step(values: Tensor, centre: Tensor, weight: Tensor) -> None:
    """values ← values + weight (centre − values), in place: no-op where weight is 0, exactly centre where it is 1."""
    values.lerp_(centre, weight)


def refreshed_at(step: int) -> int:
    """The step in which the adaptive weight of step `step` of a visit (from 1) is made: itself up to 16, then the last eighth.

    √v̂ is an average over the steps so far (β₂ = 0.999 for Adam, α = 0.99 for RMSProp), so after the first few it hardly
    moves in eight, and at rest not at all: the fixed point is the same. Computing it costs several times as much as using it.
    """
    return step if step <= FIRST_STEPS else step - step % REFRESH_EVERY
