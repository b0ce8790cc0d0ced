"""What a visit says about itself beside its results: scores on the way, penalties, warnings. None of it can stop training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from torch import nn

from ewc_core.consolidation import ConstraintBook, Penalty
from ewc_core.data.as_read import TaskRead
from ewc_core.events import Event, ScoresLogged, Visit, ZeroShot
from ewc_core.metrics import Measured
from ewc_core.seeding import PathPart
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import guards
from ewc_core.supervised.capacity_used import capacity_guard
from ewc_core.supervised.consolidate import EndOfVisit
from ewc_core.supervised.fresh_learners import fresh_network
from ewc_core.supervised.heads import HeadView
from ewc_core.supervised.learner import Learner
from ewc_core.supervised.task_book import TaskBook
from ewc_core.training.informing import Informing


class SupervisedInforming(Informing):
    """What is said of data, of scores on the way, and of penalties."""

    def __init__(self, spec: SupervisedSpec, tasks: TaskBook, learners: Mapping[str, Learner]) -> None:
        super().__init__(spec.method.kind)
        self._spec, self._tasks, self._learners = spec, tasks, learners
        self._split = spec.training.evaluate_on

    def zero_shot(self, visit: Visit) -> Iterator[Event]:
        """The score of every network on a task that none has seen, beside that of an untrained one."""
        name, task = "the score before a task is trained", visit.task_index
        fresh = self.make(name, partial(fresh_network, self._spec, self._tasks))
        path = ("zero-shot", visit.index)  # one for all: networks that are the same have the same intervals
        untrained = None if fresh is None else self._measured(name, fresh, task, path)
        for kind, learner in self._learners.items():
            yield ZeroShot(visit, kind, self._measured(name, learner.network, task, path), untrained)
        yield from self.failures(visit)

    def about_data(self, visit: Visit, reads: Mapping[int, TaskRead]) -> Iterator[Event]:
        """Warnings about data that were read for the first time."""
        found = self.make("the warnings about data", partial(guards.about_data, reads))
        for guard in found or []:
            yield self.warned(visit, guard.code, guard.message)
        yield from self.failures(visit)

    def one_output(self, visit: Visit, view: HeadView) -> Iterator[Event]:
        """A warning before a task whose head cannot be wrong."""
        likelihood = self._tasks.data(visit.task_index).likelihood
        guard = self.make("the check of a head's outputs", partial(guards.one_output, visit.task_index, view, likelihood))
        if guard is not None:
            yield self.warned(visit, guard.code, guard.message)
        yield from self.failures(visit)

    def at_start(self, visit: Visit, num_seen: int, penalty: Penalty | None) -> Iterator[Event]:
        """Warnings before the first step of a visit."""
        found = self.make("the warnings before a visit", partial(guards.at_start, self._spec, visit.index, num_seen, penalty))
        for guard in found or []:
            yield self.warned(visit, guard.code, guard.message)
        yield from self.failures(visit)

    def share(self, measure: Callable[[], float | None]) -> float | None:
        """What `measure` finds for the penalty's pull beside the data's."""
        return self.make("the penalty's share", measure)

    def scores(self, visit: Visit, step: int, seen: Sequence[int]) -> Iterator[Event]:
        """The curves of scores on every task seen."""
        scores = {kind: self._scores("the curve of scores", it.network, seen) for kind, it in self._learners.items()}
        yield ScoresLogged(visit, step, scores)
        yield from self.failures(visit)

    def at_end(self, visit: Visit, is_tied: bool, largest_share: float | None) -> Iterator[Event]:
        """Warnings after a visit that a constraint should have tied; `is_tied`: there was a penalty."""
        guard = self.make(
            "the check whether the penalty pulled", partial(guards.without_effect, self._spec, is_tied, largest_share)
        )
        if guard is not None:
            yield self.warned(visit, guard.code, guard.message)
        yield from self.failures(visit)

    def consolidated(self, visit: Visit, book: ConstraintBook, end: EndOfVisit) -> Iterator[Event]:
        """Warnings once the task's constraint is in force."""
        layout = self._learners[self._spec.method.kind].parameters.layout
        guard = self.make("the check of the capacity used", partial(capacity_guard, self._spec, book, end, layout))
        if guard is not None:
            yield self.warned(visit, guard.code, guard.message)
        yield from self.failures(visit)

    def _measured(self, name: str, network: nn.Module, task: int, path: Sequence[PathPart]) -> Measured | None:
        """The cell of one task; None where it cannot be measured, or is not finite."""
        found = self.make(name, partial(self._tasks.measured, network, [task], split=self._split, path=path))
        if found is None or found[task].score is None:
            return None if found is None else found[task]
        return found[task] if self.numbers(name, {task: partial(float, found[task].score or 0.0)}) else None

    def _scores(self, name: str, network: nn.Module, tasks: Sequence[int]) -> dict[int, float]:
        found = self.make(name, partial(self._tasks.scores, network, tasks, split=self._split))
        return self.numbers(name, {task: partial(float, score) for task, score in (found or {}).items()})
