"""The constraints of a job, and the one quadratic that they make for a visit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ewc_core.consolidation import Constraint, Quadratic, merge, merge_latest
from ewc_core.params import ParameterLayout
from ewc_core.specs import EwcMethod, L2Method, MasMethod, MethodSpec, OnlineEwcMethod, SiMethod

RUNNING_METHODS = (OnlineEwcMethod, SiMethod, MasMethod)
"""Methods whose latest constraint holds the sum over all tasks: single tasks cannot be masked, weighted or forgotten."""


class ConstraintBook:
    """Constraints by task, which of them came last, and how much each counts."""

    def __init__(self, method: MethodSpec, constraints: Iterable[Constraint] = (), *, latest_task: int | None = None) -> None:
        self._method = method
        self._constraints = {constraint.task_index: constraint for constraint in constraints}
        self.latest_task = latest_task
        self.weights: dict[int, float] = {}

    @property
    def latest(self) -> Constraint | None:
        """The constraint that was consolidated last."""
        return None if self.latest_task is None else self._constraints.get(self.latest_task)

    @property
    def constraints(self) -> list[Constraint]:
        """All of them, in task order."""
        return [self._constraints[index] for index in sorted(self._constraints)]

    def put(self, constraint: Constraint) -> None:
        """Add the constraint of a task, or replace it when the task has one; it counts fully."""
        if isinstance(self._method, RUNNING_METHODS):
            self._constraints.clear()
        self._constraints[constraint.task_index] = constraint
        self.latest_task = constraint.task_index
        self.weights.pop(constraint.task_index, None)

    def ties(self, visiting: int) -> bool:
        """Whether some constraint is meant to hold the network while task `visiting` is trained."""
        if isinstance(self._method, RUNNING_METHODS):
            return self.latest is not None
        return any(index != visiting and self.weights.get(index, 1.0) > 0.0 for index in self._constraints)

    def quadratic(self, layout: ParameterLayout, *, visiting: int | None) -> Quadratic | None:
        """What ties the network while task `visiting` is trained (None: no task): its own constraint is left out.

        A running sum cannot leave a task out: there the whole sum ties the network to the latest anchor.
        """
        if isinstance(self._method, RUNNING_METHODS):
            latest = [] if self.latest is None else [self.latest]
            return merge(latest, layout, precision_floor=self._floor(), latest_task=self.latest_task)
        weights: Mapping[int, float] = self.weights if visiting is None else {**self.weights, visiting: 0.0}
        if isinstance(self._method, EwcMethod) and self._method.constraints == "latest" and self.latest_task is not None:
            return merge_latest(
                self.constraints, layout, latest_task=self.latest_task, weights=weights, precision_floor=self._floor()
            )
        if isinstance(self._method, EwcMethod | L2Method):
            return merge(self.constraints, layout, weights=weights, precision_floor=self._floor(), latest_task=self.latest_task)
        return None

    def _floor(self) -> float:
        return self._method.precision_floor if isinstance(self._method, EwcMethod | OnlineEwcMethod) else 0.0
