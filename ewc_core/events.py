"""What training loops yield. The order within one visit:

VisitStarted, DataRead (supervised, when data were loaded), ZeroShot (once per method, only at a task's first visit),
then per step Stepped (with StepLogged every few steps and at the last one planned, and ScoresLogged every
`evaluate_every` steps, before it: a resume point taken at a Stepped has everything logged behind it; in reinforcement
learning EpisodesLogged as well, and before a Stepped TaskRecognised with the FisherProgress that it causes), then
FisherProgress while examples are gone through, Consolidated (methods with a constraint only), Evaluated (once per
method), VisitFinished. Warned may come anywhere between the first and the last of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ewc_core.consolidation.constraint import Constraint
    from ewc_core.data.as_read import TaskRead
    from ewc_core.metrics import Measured
    from ewc_core.specs.any_task import AnyTaskSpec


@dataclass(frozen=True)
class Visit:
    """One stretch of training on one task. `max_steps` cuts it short (a task switch that was asked for at that step)."""

    index: int
    task_index: int
    task: AnyTaskSpec
    max_steps: int | None = None


@dataclass(frozen=True)
class VisitStarted:
    """Training on a task begins, or goes on at `step` after a resume."""

    visit: Visit
    step: int
    num_steps: int


@dataclass(frozen=True)
class DataRead:
    """Data have been loaded, by task index: at first those of all tasks that are known, later those of a new one."""

    visit: Visit
    tasks: Mapping[int, TaskRead]


@dataclass(frozen=True)
class ZeroShot:
    """Score on a task before it is first trained.

    `current` is that of the network as it is (row `after_visit` = visit.index - 1 of the score matrix), `untrained`
    that of the freshly initialised network (row -1). None where it could not be measured.
    """

    visit: Visit
    method: str
    current: Measured | None
    untrained: Measured | None


@dataclass(frozen=True)
class Stepped:
    """Every network has made a step, or an agent several at once; `step` counts the steps of this visit that are done.

    With `is_point_due` a resume point must be kept now: what earlier ones need is about to be overwritten.
    """

    visit: Visit
    step: int
    num_steps: int
    is_point_due: bool = False


@dataclass(frozen=True)
class StepLogged:
    """The minibatch loss of step `step` (minus the mean log-likelihood, up to a constant) and the penalty before it."""

    visit: Visit
    step: int
    losses: Mapping[str, float]
    penalties: Mapping[str, float]


@dataclass(frozen=True)
class ScoresLogged:
    """Scores on every task seen, the present one included, after step `step` of the visit: by method, then task index; those
    that are defined."""

    visit: Visit
    step: int
    scores: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class EpisodesLogged:
    """The mean return of the training episodes that ended since the last time, by method."""

    visit: Visit
    step: int
    returns: Mapping[str, float]


@dataclass(frozen=True)
class TaskRecognised:
    """An agent has come to believe that it plays `label`, no longer `previous`, with this posterior probability.

    `origin` "announced": it was told; "inferred": it found out, `num_steps_late` steps after the visit began.
    """

    visit: Visit
    method: str
    label: int
    previous: int
    posterior: float
    is_new: bool
    num_steps_late: int
    origin: str


@dataclass(frozen=True)
class Warned:
    """Something that its user should know: `code` is stable, `message` says why and what to do."""

    visit: Visit
    method: str
    code: str
    message: str


@dataclass(frozen=True)
class FisherProgress:
    """The Fisher has been summed over `num_done` of `num_examples` examples."""

    visit: Visit
    num_done: int
    num_examples: int


@dataclass(frozen=True)
class Consolidated:
    """The task's constraint has been added, or has replaced that of an earlier visit. `is_at_end`: its anchor is the network as
    it is at the end of the visit; agents consolidate a game when they leave it."""

    visit: Visit
    method: str
    constraint: Constraint
    is_at_end: bool = True


@dataclass(frozen=True)
class Evaluated:
    """Row `visit.index` of one method's score matrix, by task index; `details` by task, as JSON, where there are any."""

    visit: Visit
    method: str
    measured: Mapping[int, Measured]
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def scores(self) -> dict[int, float]:
        """The scores that are defined, by task index."""
        return {task: measured.score for task, measured in self.measured.items() if measured.score is not None}


@dataclass(frozen=True)
class VisitFinished:
    """The visit is over after `num_steps` steps; `num_examples_seen` counts with repetition."""

    visit: Visit
    num_steps: int
    num_examples_seen: int


Event = (
    VisitStarted
    | DataRead
    | ZeroShot
    | Stepped
    | StepLogged
    | ScoresLogged
    | EpisodesLogged
    | TaskRecognised
    | Warned
    | FisherProgress
    | Consolidated
    | Evaluated
    | VisitFinished
)
