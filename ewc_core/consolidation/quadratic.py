"""The penalty of diagonal constraints: one centred quadratic, its gradient and its implicit steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ewc_core.blocks import blocks
from ewc_core.consolidation.interface import AdaptiveSizes, AdaptiveStep, DividedStep, UniformStep
from ewc_core.consolidation.kept_weight import KeptWeight
from ewc_core.consolidation.proximal import (
    proximal_step,
    proximal_weight,
    strength_of,
    strengths,
    weightless_step,
    write_adaptive_weight,
)
from ewc_core.consolidation.stability import ExplicitStep, explicit_step_limit
from ewc_core.params import ParameterLayout
from ewc_core.specs.size import KEEPS_STRENGTHS, KEEPS_WEIGHT


@dataclass(frozen=True)
class Quadratic:
    """A `Penalty`: ½ Σ_i precision_i (θ_i − centre_i)² + constant, over the flat parameters.

    `precision` already contains every constraint's ewc_lambda; where it is 0, `centre` is 0. `constant` is the part
    that no θ can remove: the tension between anchors (>= 0).
    """

    precision: Tensor
    centre: Tensor
    constant: float

    def value(self, values: Tensor) -> float:
        """½ Σ P (θ − m)² + c' at the flat parameters `values`; the ½ and every ewc_lambda are included."""
        total = 0.0
        for precision, centre, some in blocks(self.precision, self.centre, values):
            distance = some - centre
            total += float(torch.dot(precision * distance, distance))
        return 0.5 * total + self.constant

    def gradient(self, values: Tensor) -> Tensor:
        """P (θ − m), in a new tensor. This form cancels less than Pθ − b when θ is close to m."""
        gradient = torch.empty_like(values)
        self.write_gradient(gradient, values)
        return gradient

    def write_gradient(self, gradient: Tensor, values: Tensor) -> None:
        """gradient ← P (θ − m), in place."""
        torch.sub(values, self.centre, out=gradient)
        gradient.mul_(self.precision)

    def gradient_norm(self, values: Tensor) -> float:
        """‖P (θ − m)‖."""
        norms = [(precision * (some - centre)).norm() for precision, centre, some in blocks(self.precision, self.centre, values)]
        return float(norms[0] if len(norms) == 1 else torch.stack(norms).norm())

    def explicit_step(self, rate: float, *, momentum: float) -> ExplicitStep:
        """How near explicit descent with this rate is to diverging."""
        return explicit_step_limit(self.precision, rate, momentum=momentum)

    def stiffness(self, layout: ParameterLayout) -> Mapping[str, Tensor]:
        """The precision, by parameter name."""
        return layout.split(self.precision)

    def uniform_step(self) -> UniformStep:
        """θ ← θ + w (m − θ), w = ηP / (1 + ηP), which is kept while η stays."""
        made_for, weight = torch.nan, self.precision

        def step(values: Tensor, rate: float) -> None:
            nonlocal made_for, weight
            if made_for != rate:
                weight, made_for = proximal_weight(self.precision, rate), rate
            proximal_step(values, self.centre, weight)

        return step

    def adaptive_step(self, kept: KeptWeight) -> AdaptiveStep:
        """θ ← θ + w (m − θ), w = lr·P / (d + lr·P) with d = √v̂ + eps; see `KeptWeight` for when w is made, where it is kept."""
        if len(self.precision) > KEEPS_WEIGHT:
            kept.forget()  # of a job that an earlier version began
            return self._weightless_step
        made_for: tuple[float, float] | None = None
        strengths_kept: tuple[Tensor, Tensor] | None = None

        def step(values: Tensor, sizes: AdaptiveSizes) -> None:
            nonlocal made_for, strengths_kept
            rate = sizes.learning_rate
            if made_for != (rate, sizes.eps) and len(values) <= KEEPS_STRENGTHS:
                strengths_kept = strengths(self.precision, learning_rate=rate, eps=sizes.eps)
            made_for = (rate, sizes.eps)
            write = partial(
                write_adaptive_weight,
                precision=self.precision,
                second_moment=sizes.second_moment,
                learning_rate=rate,
                eps=sizes.eps,
                bias_correction=sizes.bias_correction,
                kept=strengths_kept,
            )
            weight = kept.at(sizes.num_steps, precision=self.precision, learning_rate=rate, write=write)
            proximal_step(values, self.centre, weight)

        return step

    def _weightless_step(self, values: Tensor, sizes: AdaptiveSizes) -> None:
        weightless_step(
            values,
            self.centre,
            self.precision,
            sizes.second_moment,
            learning_rate=sizes.learning_rate,
            eps=sizes.eps,
            bias_correction=sizes.bias_correction,
        )

    def divided_step(self) -> DividedStep:
        """θ ← θ + w (m − θ), w = lr·P / (d + lr·P) for divisors d; lr·P is kept while lr stays."""
        made_for, strength = torch.nan, self.precision

        def step(start: int, values: Tensor, divisor: Tensor, learning_rate: float) -> None:
            nonlocal made_for, strength
            if made_for != learning_rate:
                strength, made_for = torch.empty_like(self.precision), learning_rate
                for written, precision in blocks(strength, self.precision):
                    written.copy_(strength_of(precision, learning_rate))
            part = slice(start, start + len(values))
            weight = torch.div(strength[part], divisor.add_(strength[part]), out=divisor)
            proximal_step(values, self.centre[part], weight)

        return step
