"""What the record holds of a job that is taken up: read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from torch import Tensor

from ewc_core.consolidation import Constraint
from ewc_core.resume import ResumePoint
from ewc_core.specs import LearningSpec
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.limits import JobLimits


@dataclass(frozen=True)
class Subject:
    """Another job, as its record stands, at what an analysis looks: `tasks` by index (those of the spec and those announced
    since), a constraint per consolidated task, and `weights` of the method's network after the visit in question.

    `own(task)` are the parameters after the last visit to a task until then, None for one that was not visited.
    `constraint_weights` are those of re-weighted and forgotten tasks, by task index; `digests`, by name, those of the data
    that the job learned from.
    """

    spec: LearningSpec
    tasks: Sequence[AnyTaskSpec]
    constraints: Sequence[Constraint]
    weights: Mapping[str, Tensor]
    own: Callable[[int], Mapping[str, Tensor] | None]
    data_dir: Path | None
    constraint_weights: Mapping[int, float] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


class StoredJob(Protocol):
    """A job, as whoever holds its lease finds it."""

    data_dir: Path | None
    """Where data sets lie."""
    replay_folder: Path
    """Where what is too large for the record may lie, for as long as the job goes on."""
    limits: JobLimits
    """What the operator gives to one job."""
    generation: int
    """Grows with every lease: another holder, who does not know yet that the job is no longer his, has a smaller one."""

    @property
    def point(self) -> ResumePoint | None:
        """The point to go on from; None for a job that begins. Raises ResumePointDamaged."""

    @property
    def tasks(self) -> Sequence[AnyTaskSpec]:
        """All tasks by index, announced ones included."""

    @property
    def visiting(self) -> int | None:
        """The index of the task whose visit is under way at the point; None between visits."""

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of all data that the job has read, or that it is held to."""

    @property
    def constraints(self) -> Sequence[Constraint]:
        """As they were consolidated; their tensors are read when they are looked at. Raises CheckpointDamaged."""

    def constraint(self, task_index: int) -> Constraint:
        """The constraint of one task, as one of `constraints`. Raises CheckpointDamaged."""

    def put_files(self, folder: Path) -> bool:
        """Write the files that belong to the point, as `VisitRun.files` named them, into `folder`. False where the record has
        none of them. Raises ResumePointDamaged."""

    def subject(self, job_id: str, *, at_visit: int | None) -> Subject:
        """Another job of the same owner, after its visit `at_visit` or after its last one.

        Raises:
            CheckpointDamaged: what is stored of it is not what was written.
            SpecError: the owner has no such job, or it has no such visit.
        """
