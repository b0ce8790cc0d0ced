"""Many constraints as one quadratic: the cost of a step does not depend on the number of tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.consolidation.constraint import Constraint
from ewc_core.errors import NonFiniteError, SpecError
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


def merge(
    constraints: Sequence[Constraint],
    layout: ParameterLayout,
    *,
    weights: Mapping[int, float] | None = None,
    precision_floor: float = 0.0,
    latest_task: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Quadratic | None:
    """The sum of the constraints as one centred quadratic, or None when it is nowhere positive.

    A sum of quadratics is a quadratic: P = Σ λ_k F_k; m = Σ λ_k F_k θ*_k / P; c' = ½ Σ_k Σ_i λ_k F_k (θ*_k − m)².
    Accumulated in float64 in task order, whatever the order given, then cast: the same constraints give the same bits.

    `weights` multiplies λ_k by task index: 1 where it says nothing, 0 for a task that is masked or forgotten. The rest
    is summed anew, never got by subtraction, which would lose the digits of the small beside the large.

    `precision_floor` δ joins as one more quadratic, ½ δ Σ_i (θ_i − θ*_i)² at the anchor of `latest_task`, once any
    constraint has weight. δ is a prior precision: a posterior holds its prior once, however many tasks it has seen. It
    is tied to the latest anchor because a Fisher of nearly 0 says "harmless" only close to where it was measured, and
    the latest anchor is where all tasks were last seen to work together.

    Raises:
        ParameterMismatch: a constraint does not fit the layout.
        SpecError: a weight or the floor is negative or not finite, or there is a floor without a known `latest_task`.
        NonFiniteError: the merged precision does not fit into `dtype`.
    """
    active = _active(constraints, weights)
    _check_floor(precision_floor)
    floor_anchor = None
    if precision_floor > 0.0 and active:
        floor_anchor = layout.join(_latest(constraints, latest_task).anchor, dtype=torch.float64)

    def terms() -> Iterator[tuple[Tensor, Tensor]]:
        for constraint, weight in active:
            yield _precision(constraint, weight, layout), layout.join(constraint.anchor, dtype=torch.float64)
        if floor_anchor is not None:
            yield torch.full_like(floor_anchor, precision_floor), floor_anchor

    precision = torch.zeros(layout.num_parameters, dtype=torch.float64)
    moment = torch.zeros_like(precision)
    for term, anchor in terms():
        precision += term
        moment += term * anchor
    kept = precision >= NEGLIGIBLE_PRECISION
    centre = torch.where(kept, moment / precision.clamp_min(NEGLIGIBLE_PRECISION), 0.0)
    constant = sum(0.5 * float(torch.dot(term * kept, (anchor - centre).square())) for term, anchor in terms())
    return _cast(precision, centre, constant, dtype)


def merge_latest(
    constraints: Sequence[Constraint],
    layout: ParameterLayout,
    *,
    latest_task: int,
    weights: Mapping[int, float] | None = None,
    precision_floor: float = 0.0,
    dtype: torch.dtype = torch.float32,
) -> Quadratic | None:
    """All precisions at one anchor, P = δ + Σ λ_k F_k around θ*_latest, or None when it is nowhere positive.

    Huszár 2018 (arXiv 1712.03847): in the recursive Laplace approximation the latest optimum already answers to the
    earlier tasks, so that their old anchors would count them twice. The constant is 0: one anchor has no tension.

    `latest_task` is the task that was consolidated last. Its anchor stays the centre even where its weight is 0: the
    earlier tasks were last seen to work there. Otherwise as `merge`, with the same errors.
    """
    active = _active(constraints, weights)
    _check_floor(precision_floor)
    if not active:
        return None
    precision = torch.zeros(layout.num_parameters, dtype=torch.float64)
    for constraint, weight in active:
        precision += _precision(constraint, weight, layout)
    precision += precision_floor
    anchor = layout.join(_latest(constraints, latest_task).anchor, dtype=torch.float64)
    return _cast(precision, torch.where(precision >= NEGLIGIBLE_PRECISION, anchor, 0.0), 0.0, dtype)


def _active(constraints: Sequence[Constraint], weights: Mapping[int, float] | None) -> list[tuple[Constraint, float]]:
    """The constraints of positive weight with their weights, in task order."""
    for task, weight in (weights or {}).items():
        if not (math.isfinite(weight) and weight >= 0.0):
            raise SpecError(f"weight of task {task} is {weight}, expected a finite number >= 0", field=f"weights.{task}")
    ordered = sorted(constraints, key=lambda constraint: constraint.task_index)
    weighted = [(constraint, (weights or {}).get(constraint.task_index, 1.0)) for constraint in ordered]
    return [(constraint, weight) for constraint, weight in weighted if weight > 0.0]


def _check_floor(precision_floor: float) -> None:
    if not (math.isfinite(precision_floor) and precision_floor >= 0.0):
        raise SpecError(f"precision_floor is {precision_floor}, expected a finite number >= 0", field="precision_floor")


def _latest(constraints: Sequence[Constraint], latest_task: int | None) -> Constraint:
    for constraint in constraints:
        if constraint.task_index == latest_task:
            return constraint
    known = sorted(constraint.task_index for constraint in constraints)
    raise SpecError(f"latest_task is {latest_task}, expected the task consolidated last, one of {known}", field="latest_task")


def _precision(constraint: Constraint, weight: float, layout: ParameterLayout) -> Tensor:
    return weight * constraint.ewc_lambda * layout.join(constraint.fisher, dtype=torch.float64)


def _cast(precision: Tensor, centre: Tensor, constant: float, dtype: torch.dtype) -> Quadratic | None:
    """The quadratic in `dtype`, without negligible precisions; None without any precision."""
    kept = precision >= NEGLIGIBLE_PRECISION
    if not bool(kept.any()):
        return None
    quadratic = Quadratic(torch.where(kept, precision, 0.0).to(dtype), centre.to(dtype), constant)
    if not (bool(torch.isfinite(quadratic.precision).all()) and bool(torch.isfinite(quadratic.centre).all())):
        raise NonFiniteError(
            f"the merged precision reaches {float(precision.max()):.3g}, too large for {dtype}; a smaller ewc_lambda is needed"
        )
    return quadratic
