"""Small jobs on the digits, and what a recorder would keep of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ewc_core.consolidation import Constraint, weights_sha256
from ewc_core.events import Consolidated, Event, Stepped, Visit
from ewc_core.resume import ResumePoint
from ewc_core.specs import SupervisedSpec, TaskSpec
from ewc_core.supervised import SupervisedProblem
from ewc_core.training.visits import VisitRun

A_B_A = (0, 1, 0)
STEPS_PER_VISIT = 8


def job(method: dict[str, Any] | None = None, **changes: Any) -> SupervisedSpec:
    """Two permuted digits tasks, eight steps per visit, a tiny network, every control that differs from the method."""
    method = {"kind": "ewc", "ewc_lambda": 100.0} if method is None else method
    body: dict[str, Any] = {
        "method": method,
        "controls": [kind for kind in ("naive", "joint") if kind != method["kind"]],
        "network": {"kind": "mlp", "hidden_sizes": [12]},
        "training": {"learning_rate": 0.01, "batch_size": 200},
        "tasks": [{"kind": "permuted", "dataset": "digits", "permutation": index} for index in range(2)],
    }
    return SupervisedSpec.model_validate({**body, **changes})


def visit_of(spec: SupervisedSpec, index: int, task_index: int, max_steps: int | None = None) -> Visit:
    """A visit to a task of the spec."""
    return Visit(index=index, task_index=task_index, task=spec.tasks[task_index], max_steps=max_steps)


def begin(spec: SupervisedSpec, *, data_dir: Path | None = None, digests: Mapping[str, str] | None = None) -> VisitRun:
    """A run of the job that has not begun."""
    return VisitRun(SupervisedProblem(spec, data_dir=data_dir, digests=digests))


def restored(
    spec: SupervisedSpec,
    point: ResumePoint,
    tasks: Sequence[TaskSpec],
    *,
    constraints: Sequence[Constraint] = (),
    data_dir: Path | None = None,
    digests: Mapping[str, str] | None = None,
) -> VisitRun:
    """A new run that goes on from `point`; within a visit, the last of `tasks` is the one visited."""
    known = {**point.digests, **(digests or {})}
    problem = SupervisedProblem(spec, data_dir=data_dir, digests=known, constraints=constraints)
    return VisitRun.restore(problem, point, tasks=tasks, visiting=len(tasks) - 1 if point.step > 0 else None)


def learn_all(spec: SupervisedSpec, order: Sequence[int] = A_B_A) -> tuple[VisitRun, list[Event]]:
    """Visit the tasks in `order`, uninterrupted; the run and everything that it yielded."""
    run = begin(spec)
    events = [event for index, task in enumerate(order) for event in run.learn(visit_of(spec, index, task))]
    return run, events


def digests(run: VisitRun) -> dict[str, str]:
    """Every network's weights, as a digest per method."""
    return {method: weights_sha256(run.weights(method)) for method in run.methods}


class Interrupted:
    """Visits tasks, but throws the run away at chosen steps (counted over the job) and continues from bytes."""

    def __init__(self, spec: SupervisedSpec, order: Sequence[int], at_steps: set[int]) -> None:
        self.spec = spec
        self.run = begin(spec)
        self.events: list[Event] = []
        self.num_restores = 0
        self._constraints: dict[int, bytes] = {}
        self._num_steps = 0
        self._at_steps = at_steps
        for index, task in enumerate(order):
            self._visit(index, order[: index + 1], task)

    def _visit(self, index: int, seen: Sequence[int], task: int) -> None:
        visit = visit_of(self.spec, index, task)
        events = self.run.learn(visit)
        while (event := next(events, None)) is not None:
            self.events.append(event)
            if isinstance(event, Consolidated):
                self._constraints[event.constraint.task_index] = event.constraint.to_bytes()
            if isinstance(event, Stepped):
                self._num_steps += 1
                if self._num_steps in self._at_steps:
                    self.run = self._restored(self.run.capture().to_bytes(), max(seen) + 1, visiting=task)
                    events = self.run.learn(visit)

    def _restored(self, data: bytes, num_tasks: int, *, visiting: int) -> VisitRun:
        """A new run made of nothing but the spec and stored bytes."""
        self.num_restores += 1
        constraints = [Constraint.from_bytes(stored) for stored in self._constraints.values()]
        point = ResumePoint.from_bytes(data)
        problem = SupervisedProblem(self.spec, data_dir=None, digests=point.digests, constraints=constraints)
        return VisitRun.restore(problem, point, tasks=self.spec.tasks[:num_tasks], visiting=visiting)


def of_type(events: Sequence[Event], kind: type[Any], where: Callable[[Any], bool] = lambda event: True) -> Iterator[Any]:
    """Events of one type."""
    return (event for event in events if isinstance(event, kind) and where(event))
