"""What a visit says about itself beside its results: scores on the way, penalties, warnings. None of it can stop training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from torch import nn

from ewc_core.consolidation import ConstraintBook, Penalty
from ewc_core.data.as_read import TaskRead
from ewc_core.diagnostics import Diagnostics
from ewc_core.events import Event, ScoresLogged, StepLogged, Visit, Warned, ZeroShot
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import guards
from ewc_core.supervised.capacity_used import capacity_guard
from ewc_core.supervised.consolidate import EndOfVisit
from ewc_core.supervised.evaluate import metric_of
from ewc_core.supervised.guards import Guard
from ewc_core.supervised.heads import HeadView
from ewc_core.supervised.learner import Learner
from ewc_core.supervised.learners import fresh_network
from ewc_core.supervised.task_book import TaskBook


class Informing:
    """Makes the events of a run that only inform; what cannot be made is an event of its own (`diagnostic_failed`)."""

    def __init__(self, spec: SupervisedSpec, tasks: TaskBook, learners: Mapping[str, Learner]) -> None:
        self._spec, self._tasks, self._learners = spec, tasks, learners
        self._split = spec.training.evaluate_on
        self._diagnostics = Diagnostics()

    def start_visit(self) -> None:
        """Say again what fails again."""
        self._diagnostics.start_visit()

    def zero_shot(self, visit: Visit) -> Iterator[Event]:
        """The score of every network on a task that none has seen, beside that of an untrained one."""
        name, task = "the score before a task is trained", visit.task_index
        fresh = self._diagnostics.make(name, partial(fresh_network, self._spec, self._tasks))
        untrained = {} if fresh is None else self._scores(name, fresh, [task])
        data = self._tasks.data(task)
        for kind, learner in self._learners.items():
            current = self._scores(name, learner.network, [task])
            num_examples = data.num_examples(self._split)
            yield ZeroShot(visit, kind, current.get(task), untrained.get(task), num_examples, metric_of(data))
        yield from self._failures(visit)

    def about_data(self, visit: Visit, reads: Mapping[int, TaskRead]) -> Iterator[Event]:
        """Warnings about data that were read for the first time."""
        found = self._diagnostics.make("the warnings about data", partial(guards.about_data, reads))
        for guard in found or []:
            yield self._warned(visit, guard)
        yield from self._failures(visit)

    def one_output(self, visit: Visit, view: HeadView) -> Iterator[Event]:
        """A warning before a task whose head cannot be wrong."""
        likelihood = self._tasks.data(visit.task_index).likelihood
        guard = self._diagnostics.make(
            "the check of a head's outputs", partial(guards.one_output, visit.task_index, view, likelihood)
        )
        if guard is not None:
            yield self._warned(visit, guard)
        yield from self._failures(visit)

    def at_start(self, visit: Visit, num_seen: int, penalty: Penalty | None) -> Iterator[Event]:
        """Warnings before the first step of a visit."""
        found = self._diagnostics.make(
            "the warnings before a visit", partial(guards.at_start, self._spec, visit.index, num_seen, penalty)
        )
        for guard in found or []:
            yield self._warned(visit, guard)
        yield from self._failures(visit)

    def penalties(self) -> dict[str, float]:
        """Every network's penalty at its present parameters."""
        return self._diagnostics.numbers("the penalty's curve", {kind: it.penalty for kind, it in self._learners.items()})

    def share(self, measure: Callable[[], float | None]) -> float | None:
        """What `measure` finds for the penalty's pull beside the data's."""
        return self._diagnostics.make("the penalty's share", measure)

    def step(self, visit: Visit, step: int, losses: Mapping[str, float], penalties: Mapping[str, float]) -> Iterator[Event]:
        """The curves of one step."""
        yield StepLogged(visit, step, losses, penalties)
        yield from self._failures(visit)

    def scores(self, visit: Visit, step: int, seen: Sequence[int]) -> Iterator[Event]:
        """The curves of scores on every task seen."""
        scores = {kind: self._scores("the curve of scores", it.network, seen) for kind, it in self._learners.items()}
        yield ScoresLogged(visit, step, scores)
        yield from self._failures(visit)

    def at_end(self, visit: Visit, is_tied: bool, largest_share: float | None) -> Iterator[Event]:
        """Warnings after a visit that a constraint should have tied; `is_tied`: there was a penalty."""
        guard = self._diagnostics.make(
            "the check whether the penalty pulled", partial(guards.without_effect, self._spec, is_tied, largest_share)
        )
        if guard is not None:
            yield self._warned(visit, guard)
        yield from self._failures(visit)

    def consolidated(self, visit: Visit, book: ConstraintBook, end: EndOfVisit) -> Iterator[Event]:
        """Warnings once the task's constraint is in force."""
        layout = self._learners[self._spec.method.kind].parameters.layout
        guard = self._diagnostics.make("the check of the capacity used", partial(capacity_guard, self._spec, book, end, layout))
        if guard is not None:
            yield self._warned(visit, guard)
        yield from self._failures(visit)

    def _warned(self, visit: Visit, guard: Guard) -> Warned:
        return Warned(visit, self._spec.method.kind, guard.code, guard.message)

    def _failures(self, visit: Visit) -> Iterator[Warned]:
        return self._diagnostics.warnings(visit, self._spec.method.kind)

    def _scores(self, name: str, network: nn.Module, tasks: Sequence[int]) -> dict[int, float]:
        found = self._diagnostics.make(name, partial(self._tasks.scores, network, tasks, split=self._split))
        return self._diagnostics.numbers(name, {task: partial(float, score) for task, score in (found or {}).items()})
