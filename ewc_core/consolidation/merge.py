"""Many diagonal constraints as one quadratic: the cost of a step does not depend on the number of tasks.

Constraints may lie in the record: they are read and summed a few million numbers at a time, so that however many there are,
no more than a block of each is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from ewc_core.blocks import BLOCK
from ewc_core.consolidation.constraint import Constraint
from ewc_core.consolidation.quadratic import Quadratic
from ewc_core.errors import NonFiniteError, SpecError
from ewc_core.params import ParameterLayout
from ewc_core.stored_tensors import part_of

NEGLIGIBLE_PRECISION = 1e-30
"""Precisions below this count as 0: they move nothing, and denormal numbers make a CPU step many times slower."""


Part = tuple[str, int, int]
"""Entries `start` to `stop` of the parameter of that name, flat."""


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
    floor_at = _latest(constraints, latest_task) if precision_floor > 0.0 and active else None
    _check_fit([*active, *([] if floor_at is None else [(floor_at, 0.0)])], layout)
    merged = _Merged(layout, dtype)
    for parts in _parts_in_file_order(layout):
        around_own = _AroundOwn(sum(stop - start for _, start, stop in parts))
        for constraint, weight in active:
            anchor = _read(constraint.anchor, parts)
            around_own.add(weight * constraint.ewc_lambda * _read(constraint.fisher, parts), anchor)
        if floor_at is not None:
            anchor = _read(floor_at.anchor, parts)
            around_own.add(torch.full_like(anchor, precision_floor), anchor)
        merged.put(parts, around_own.precision, around_own.centre())
        merged.constant += around_own.constant
    return merged.quadratic()


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
    latest = _latest(constraints, latest_task)
    _check_fit([*active, (latest, 0.0)], layout)
    merged = _Merged(layout, dtype)
    for parts in _parts_in_file_order(layout):
        anchor = _read(latest.anchor, parts)
        precision = torch.zeros_like(anchor)
        for constraint, weight in active:
            precision += weight * constraint.ewc_lambda * _read(constraint.fisher, parts)
        precision += precision_floor
        merged.put(parts, precision, torch.where(precision >= NEGLIGIBLE_PRECISION, anchor, 0.0))
    return merged.quadratic()


class _AroundOwn:
    """The sum of quadratics on some coordinates, each around its own anchor, in float64.

    The tension of one more with those before it is ½ Σ t P / (P + t) (a − m)², with t and a its precision and anchor, and P
    and m those of the sum before: nothing is subtracted, and no constraint is looked at twice.
    """

    def __init__(self, size: int) -> None:
        self.precision = torch.zeros(size, dtype=torch.float64)
        self._moment = torch.zeros_like(self.precision)
        self.constant = 0.0

    def add(self, term: Tensor, anchor: Tensor) -> None:
        distance = self.centre().sub_(anchor).square_()
        self._moment += term * anchor
        share = term * self.precision
        self.precision += term
        self.constant += 0.5 * float(torch.dot(share.div_(self.precision.clamp_min(NEGLIGIBLE_PRECISION)), distance))

    def centre(self) -> Tensor:
        """m; 0 where the precision is negligible."""
        kept = self.precision >= NEGLIGIBLE_PRECISION
        return torch.where(kept, self._moment / self.precision.clamp_min(NEGLIGIBLE_PRECISION), 0.0)


class _Merged:
    """The quadratic in its own dtype, written part by part."""

    def __init__(self, layout: ParameterLayout, dtype: torch.dtype) -> None:
        self._precision, self._centre = (torch.zeros(layout.num_parameters, dtype=dtype) for _ in range(2))
        self._places = layout.split(self._precision), layout.split(self._centre)
        self._holds, self._is_finite, self._largest = False, True, 0.0
        self.constant = 0.0

    def put(self, parts: Sequence[Part], precision: Tensor, centre: Tensor) -> None:
        """Take float64 precision and centre of some coordinates; negligible precisions count as 0."""
        kept = precision >= NEGLIGIBLE_PRECISION
        self._holds |= bool(kept.any())
        self._largest = max(self._largest, float(precision.max()))
        sizes = [stop - start for _, start, stop in parts]
        for places, values in zip(self._places, (torch.where(kept, precision, 0.0), centre), strict=True):
            cast = values.to(self._precision.dtype)
            self._is_finite &= bool(torch.isfinite(cast).all())
            for (name, start, stop), some in zip(parts, torch.split(cast, sizes), strict=True):
                places[name].view(-1)[start:stop] = some

    def quadratic(self) -> Quadratic | None:
        """What was written; None without any precision."""
        if not self._holds:
            return None
        if not self._is_finite:
            raise NonFiniteError(
                f"the merged precision reaches {self._largest:.3g}, too large for {self._precision.dtype}; "
                "a smaller ewc_lambda is needed"
            )
        return Quadratic(self._precision, self._centre, self.constant)


def _parts_in_file_order(layout: ParameterLayout) -> Iterator[list[Part]]:
    """All coordinates, `BLOCK` or fewer at a time, in the order of names: that of a stored file, which is then read onwards."""
    parts: list[Part] = []
    room = BLOCK
    for name, shape in sorted(zip(layout.names, layout.shapes, strict=True)):
        start, size = 0, math.prod(shape)
        while start < size:
            stop = min(size, start + room)
            parts.append((name, start, stop))
            room -= stop - start
            start = stop
            if room == 0:
                yield parts
                parts, room = [], BLOCK
    if parts:
        yield parts


def _read(tensors: Mapping[str, Tensor], parts: Sequence[Part]) -> Tensor:
    """Those entries, flat, in float64."""
    return torch.cat([part_of(tensors, *part) for part in parts]).double()


def _check_fit(constraints: Sequence[tuple[Constraint, float]], layout: ParameterLayout) -> None:
    for constraint, _ in constraints:
        layout.check(constraint.fisher)
        layout.check(constraint.anchor)


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
