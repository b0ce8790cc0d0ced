"""The visit loop: train, consolidate, evaluate, for visit after visit, whatever is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ewc_core.errors import EwcError, SpecError, StateFormatError
from ewc_core.events import Event, Stepped, Visit, VisitFinished, VisitStarted
from ewc_core.resume import ResumePoint
from ewc_core.specs import LearningSpec
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.training.named_state import Rest
from ewc_core.training.problem import Place, Problem

_VISITED = "visited_tasks"


class VisitRun:
    """A `Run` that learns the tasks of a problem, one visit at a time."""

    def __init__(self, problem: Problem) -> None:
        self.visit_index = 0
        self.step = 0
        self._problem = problem
        self._visited: list[int] = []
        self._is_between_steps = True
        self._ending = False

    @classmethod
    def restore(cls, problem: Problem, point: ResumePoint, *, tasks: Sequence[AnyTaskSpec], visiting: int | None) -> VisitRun:
        """Go on from `point` with a fresh problem of the same spec. `tasks` are all tasks of the job, announced ones included;
        `visiting` is the index of the task whose visit is under way at the point, None between visits.

        Raises:
            StateFormatError: the point is not one of a job with this spec.
            ParameterMismatch: its tensors do not fit the network.
            SpecError, DataChanged: a task can no longer be learned.
        """
        rest = Rest(point.tensors)
        run = cls(problem)
        run.visit_index, run.step = point.visit_index, point.step
        run._visited = _visited(rest.pop_if_there(_VISITED), num_tasks=len(tasks))
        if run.step > 0 and visiting is None:
            raise StateFormatError(f"the resume point is at step {run.step} of visit {run.visit_index}, which is not known")
        under_way = visiting if run.step > 0 else None
        problem.load_state(rest, Place(run.visit_index, run.step, run._visited, under_way, point.digests), tasks)
        return run

    @property
    def can_capture(self) -> bool:
        """At every Stepped, between visits, and where the problem's state is always whole."""
        return self._is_between_steps or self._problem.can_capture_anywhere

    def capture(self, *, live: bool = False) -> ResumePoint:
        """The present state. Changes nothing."""
        if not self.can_capture:
            raise AssertionError("the run was captured between two steps, while a belief was acted on or agents were evaluated")
        visited = {_VISITED: torch.tensor(self._visited, dtype=torch.int64)}
        state = self._problem.state(in_visit=self.step > 0)
        tensors = visited | (state if live else {name: tensor.clone() for name, tensor in state.items()})
        return ResumePoint(self.visit_index, self.step, tensors, self._problem.digests)

    def point_kept(self) -> None:
        """The point captured last is stored: what only earlier ones needed may go."""
        self._problem.point_kept()

    def files(self) -> Mapping[str, Path]:
        """Files that belong to the state captured last, until the run goes on."""
        return self._problem.files()

    @property
    def methods(self) -> Sequence[str]:
        """What is trained: the method first, then the controls."""
        return self._problem.methods

    def weights(self, method: str, *, live: bool = False) -> dict[str, Tensor]:
        """One network's parameters by name, in copies or (`live`) as they are until the next step; of an agent, with the biases
        and gains of the task visited last."""
        weights = self._problem.weights(method)
        return weights if live else {name: tensor.clone() for name, tensor in weights.items()}

    def set_constraint_weights(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these tasks count so often from the next visit on; the others count once.

        Raises:
            SpecError: a visit is under way, whose constraints are settled.
        """
        if self.step > 0:
            raise SpecError("constraints are weighted between visits; a visit is under way")
        self._problem.weigh(weights)

    def end_visit_now(self) -> None:
        """Let the visit end after the step just made; call it between events of `learn`."""
        self._ending = True

    def learn(self, visit: Visit) -> Iterator[Event]:
        """One visit, from step `self.step` on; yields events in the order of `ewc_core.events`.

        Raises:
            SpecError: another visit or task is due, or what it is learned from is unavailable.
            DataChanged: the data of a task that was announced are not what they were.
            NonFiniteError: a network diverged.
            PluginFailed: code of a plug-in raised, or gave what it must not give.
        """
        if visit.index != self.visit_index:
            raise SpecError(f"visit {visit.index} cannot be learned now: visit {self.visit_index} is due")
        self._problem.require(visit)
        try:
            yield from self._learn(visit)
        except (EwcError, GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            blamed = self._problem.blamed(error)
            if blamed is None:
                raise
            raise blamed from error

    def evaluate(self, visit: Visit) -> Iterator[Event]:
        """The row of the score matrix after `visit`, the last one, once more: nothing is learned, nothing changes.

        Raises:
            SpecError: another visit was the last one, or a visit is under way.
        """
        if self.step > 0 or visit.index != self.visit_index - 1:
            raise SpecError(f"visit {visit.index} is not the last one: visit {self.visit_index}, step {self.step} is due")
        yield from self._problem.evaluate(visit)

    def _learn(self, visit: Visit) -> Iterator[Event]:
        problem, task = self._problem, visit.task_index
        self._ending = False
        num_steps = problem.num_steps(visit)
        if visit.max_steps is not None:
            num_steps = min(num_steps, visit.max_steps)
        yield VisitStarted(visit, self.step, num_steps)
        self._is_between_steps = False
        yield from problem.enter(visit, step=self.step, seen=sorted({*self._visited, task}))
        while self.step < num_steps and not self._ending and not problem.is_over:
            self.step += yield from problem.advance(visit, step=self.step, num_steps=num_steps)
            self._is_between_steps = True
            yield Stepped(visit, self.step, num_steps, is_point_due=problem.is_point_due)
            self._is_between_steps = False
        yield from problem.consolidate(visit)
        yield from problem.evaluate(visit)
        finished = VisitFinished(visit, self.step, problem.num_examples(self.step))
        yield from problem.leave(visit)
        self._visited = [*(visited for visited in self._visited if visited != task), task]
        self.visit_index, self.step = visit.index + 1, 0
        self._is_between_steps = True
        yield finished


def learn_all(spec: LearningSpec, begin: Callable[[], VisitRun]) -> Iterator[Event]:
    """Every visit that a closed spec plans, by the run that `begin` makes, yielding events as `ewc_core.events` describes.

    Raises:
        SpecError: the stream is open: nobody could announce its tasks.
        NonFiniteError: a network diverged.
    """
    if spec.stream != "closed":
        raise SpecError(f"stream is {spec.stream!r}; a run from start to end needs 'closed'", field="stream")
    run = begin()
    for index, task in enumerate(spec.planned_visits):
        yield from run.learn(Visit(index=index, task_index=task, task=spec.tasks[task]))


def _visited(tensor: Tensor | None, *, num_tasks: int) -> list[int]:
    if tensor is None or tensor.dtype != torch.int64 or tensor.dim() != 1:
        raise StateFormatError(f"the resume point has no {_VISITED!r}")
    visited = [int(index) for index in tensor]
    unknown = [index for index in visited if not 0 <= index < num_tasks]
    if unknown:
        raise StateFormatError(f"the resume point has visited tasks {unknown}, but only {num_tasks} tasks were given")
    return visited
