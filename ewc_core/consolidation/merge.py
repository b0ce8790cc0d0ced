"""Many constraints as one quadratic: the cost of a step does not depend on the number of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.consolidation.constraint import Constraint
from ewc_core.errors import NonFiniteError
from ewc_core.params import ParameterLayout

NEGLIGIBLE_PRECISION = 1e-30
"""Precisions below this count as 0: they move nothing, and denormal numbers make a CPU step many times slower."""


@dataclass(frozen=True)
class Quadratic:
    """½ Σ_i precision_i (θ_i − centre_i)² + constant, over the flat parameters.

    `precision` already contains every constraint's ewc_lambda; where it is 0, `centre` is 0. `constant` is the part
    that no θ can remove: the tension between anchors (>= 0).
    """

    precision: Tensor
    centre: Tensor
    constant: float


def merge(constraints: Sequence[Constraint], layout: ParameterLayout, *, dtype: torch.dtype = torch.float32) -> Quadratic | None:
    """The sum of the constraints as one centred quadratic, or None when it is nowhere positive.

    A sum of quadratics is a quadratic: P = Σ λ_k F_k; m = Σ λ_k F_k θ*_k / P; c' = ½ Σ_k Σ_i λ_k F_k (θ*_k − m)².
    Accumulated in float64 in task order, whatever the order given, then cast: the same constraints give the same bits.

    Raises:
        ParameterMismatch: a constraint does not fit the layout.
        NonFiniteError: the merged precision does not fit into `dtype`.
    """
    ordered = sorted(constraints, key=lambda constraint: constraint.task_index)
    precision = torch.zeros(layout.num_parameters, dtype=torch.float64)
    moment = torch.zeros_like(precision)
    for constraint in ordered:
        weighted = _weighted_fisher(constraint, layout)
        precision += weighted
        moment += weighted * layout.join(constraint.anchor, dtype=torch.float64)
    kept = precision >= NEGLIGIBLE_PRECISION
    if not bool(kept.any()):
        return None
    zero = torch.zeros_like(precision)
    centre = torch.where(kept, moment / precision.clamp_min(NEGLIGIBLE_PRECISION), zero)
    constant = sum(_tension(constraint, layout, centre, kept) for constraint in ordered)
    quadratic = Quadratic(torch.where(kept, precision, zero).to(dtype), centre.to(dtype), float(constant))
    if not (bool(torch.isfinite(quadratic.precision).all()) and bool(torch.isfinite(quadratic.centre).all())):
        raise NonFiniteError(
            f"the merged precision of {len(ordered)} constraints reaches {float(precision.max()):.3g}, too large for {dtype}; "
            "a smaller ewc_lambda is needed"
        )
    return quadratic


def _weighted_fisher(constraint: Constraint, layout: ParameterLayout) -> Tensor:
    return constraint.ewc_lambda * layout.join(constraint.fisher, dtype=torch.float64)


def _tension(constraint: Constraint, layout: ParameterLayout, centre: Tensor, kept: Tensor) -> float:
    distance = (layout.join(constraint.anchor, dtype=torch.float64) - centre) * kept
    return 0.5 * float(torch.dot(_weighted_fisher(constraint, layout), distance.square()))
