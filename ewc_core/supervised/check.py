"""Looking a supervised job over: reading its data, trying its network, and timing a few steps that are thrown away."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ewc_core.checking.look import Look
from ewc_core.errors import EwcError, NonFiniteError, SpecError, StateFormatError
from ewc_core.events import Event, FisherProgress, Visit, Warned
from ewc_core.generators import finished
from ewc_core.mistakes import Mistakes
from ewc_core.specs import SupervisedSpec
from ewc_core.specs.limits import JobSize
from ewc_core.supervised.problem import SupervisedProblem
from ewc_core.supervised.rehearsal import rehearse
from ewc_core.supervised.size_of import size_of
from ewc_core.supervised.task_book import TaskBook
from ewc_core.training.stored import StoredJob

_BUDGET_SECONDS = 0.2
"""How long steps of one kind are timed."""


def look(spec: SupervisedSpec, stored: StoredJob) -> Look:
    """Everything that take-up would refuse, warnings before the first step, and what the job takes; see `LookOver`."""
    mistakes = Mistakes()
    tasks = _readable(spec, stored, mistakes)
    if tasks is None:
        return Look(mistakes.found)
    size = _tried(spec, tasks, stored, mistakes)
    del tasks  # the data are read again below: they are not to be in memory twice
    if mistakes.found:
        return Look(mistakes.found, size=size)
    try:
        begun = time.perf_counter()
        problem = SupervisedProblem(spec, data_dir=stored.data_dir)
        timing = _Timing(spec, problem, begun=time.perf_counter() - begun)
        return Look([], timing.warnings, size, timing.seconds())
    except (SpecError, StateFormatError, NonFiniteError) as error:  # data may be lost between two looks at them
        mistakes.note(error)
        return Look(mistakes.found, size=size)


def _readable(spec: SupervisedSpec, stored: StoredJob, mistakes: Mistakes) -> TaskBook | None:
    """The tasks without those that are refused, so that they do not hide what else is wrong; None where none is left."""
    try:
        return TaskBook(spec, data_dir=stored.data_dir)
    except (SpecError, StateFormatError) as error:
        mistakes.note(error)
        found: Sequence[EwcError] = (error.parts if isinstance(error, SpecError) else ()) or (error,)
        refused = {int(one.field.split(".")[1]) for one in found if one.field.startswith("tasks.")}
        left = [task for index, task in enumerate(spec.tasks) if index not in refused]
        if not refused or not left:
            return None
        return _readable(spec.model_copy(update={"tasks": left}), stored, mistakes)


def _tried(spec: SupervisedSpec, tasks: TaskBook, stored: StoredJob, mistakes: Mistakes) -> JobSize | None:
    """What the job takes, None where its network cannot be made; one that is too large is not tried."""
    size: JobSize | None = None
    with mistakes.noted():
        size = size_of(spec, tasks, stored.limits)
        stored.limits.require(size)
        rehearse(spec.model_copy(update={"tasks": tasks.specs}), tasks)
    return size


@dataclass
class _Timing:
    """A job that begins its first visit, and its last one as if nothing had been learned in between."""

    spec: SupervisedSpec
    problem: SupervisedProblem
    begun: float
    """Seconds that reading the data and making the networks took."""

    def __post_init__(self) -> None:
        self.warnings: list[Warned] = []
        visits = [Visit(index, index, task) for index, task in enumerate(self.spec.tasks)]
        self._num_steps = [self.problem.num_steps(visit) for visit in visits]
        first, last = visits[0], visits[-1]
        self.problem.num_steps(first)  # its minibatches are those of the visit asked about last
        self._entering = self._timed(self.problem.enter(first, step=0, seen=[0]))
        self._steps = [self._step(first, self._num_steps[0])]
        self._scoring = self._timed(self.problem.evaluate(first))
        if last is not first:
            self.problem.num_steps(last)
            seen = range(len(visits))
            # As if all others had been visited: joint training repeats them all.
            self._timed(self.problem.enter(first, step=1, seen=seen[:-1]))
            self._timed(self.problem.leave(first))
            self._timed(self.problem.enter(last, step=0, seen=seen))
            self._steps.append(self._step(last, self._num_steps[-1]))
        self._consolidating = self._consolidation(last)

    def seconds(self) -> float:
        """Of the whole job: what its data and networks take at the beginning, and for every visit its entering, its steps (the
        last visit's may take longer than the first's), its Fisher and its scores."""
        num_visits, total = len(self._num_steps), self.begun
        for index, num_steps in enumerate(self._num_steps):
            later = index / max(1, num_visits - 1)
            step = (1.0 - later) * self._steps[0] + later * self._steps[-1]
            every = self.spec.training.evaluate_every
            num_scored = 1 + (0 if every is None else num_steps // every)
            total += self._entering + num_steps * step + self._consolidating + num_scored * (index + 1) * self._scoring
        return total

    def _timed(self, events: Iterator[Event]) -> float:
        begun = time.perf_counter()
        for event in events:
            if isinstance(event, Warned):
                self.warnings.append(event)
        return time.perf_counter() - begun

    def _step(self, visit: Visit, num_steps: int) -> float:
        """Seconds of one step of all networks. The first one, which makes what later ones find made, counts where it is alone."""
        taken: list[float] = []
        while len(taken) < num_steps and sum(taken[1:]) < _BUDGET_SECONDS:
            begun = time.perf_counter()
            finished(self.problem.advance(visit, step=len(taken), num_steps=num_steps + 1))
            taken.append(time.perf_counter() - begun)
        return statistics.median(taken[max(1, len(taken) // 4) :] or taken)

    def _consolidation(self, visit: Visit) -> float:
        """Seconds of one consolidation, of which only the beginning is done where it takes long."""
        begun, done = time.perf_counter(), 1.0
        for event in self.problem.consolidate(visit):
            if isinstance(event, FisherProgress):
                done = event.num_done / event.num_examples
                if time.perf_counter() - begun > _BUDGET_SECONDS:
                    return (time.perf_counter() - begun) / max(done, 1e-9)
        return time.perf_counter() - begun
