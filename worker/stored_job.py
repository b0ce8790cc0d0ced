"""A job as the record has it, for whoever takes it up: its point, tasks, digests and constraints, read when asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

from torch import Tensor

from ewc_core.consolidation import Constraint
from ewc_core.errors import NotFound, SpecError
from ewc_core.resume import ResumePoint
from ewc_core.specs import AnyTaskSpec
from ewc_core.training.stored import Subject
from store.records import CheckpointRecord, Fence, JobRecord
from store.unit_of_work import Database
from worker.settings import WorkerSettings
from worker.stored_bytes import StoredBytes
from worker.stored_state import opened_constraint, stored_constraint, stored_point, stored_weights


class RecordedJob:
    """A `StoredJob`: the job that a fence holds."""

    def __init__(self, database: Database, settings: WorkerSettings, fence: Fence, job: JobRecord) -> None:
        self.data_dir = settings.data_dir
        self.replay_folder = _replay_folder(settings, job.id)
        self.generation = fence.epoch
        self._database, self._job = database, job
        self._bytes = StoredBytes(database)

    @cached_property
    def point(self) -> ResumePoint | None:
        """The resume point; None for a job that begins.

        Raises:
            ResumePointDamaged: its bytes are not those that were stored.
        """
        with self._database.read() as work:
            saved = work.resume_points.get(self._job.id)
        return None if saved is None else stored_point(self._bytes, saved)

    @property
    def tasks(self) -> Sequence[AnyTaskSpec]:
        """All tasks by index, announced ones included."""
        with self._database.read() as work:
            return [task.spec for task in work.tasks.list(self._job.id)]

    @property
    def visiting(self) -> int | None:
        """The index of the task whose visit is under way at the point; None between visits."""
        if self.point is None or self.point.step == 0:
            return None
        with self._database.read() as work:
            visit = work.switches.find_visit(self._job.id, self.point.visit_index)
        return None if visit is None else visit.task_index

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of all data that the job, or its sweep, has read."""
        with self._database.read() as work:
            return work.sweeps.digests(self._job.id) | work.tasks.digests(self._job.id)

    @property
    def constraints(self) -> Sequence[Constraint]:
        """As they were consolidated. Their bytes are checked now; their tensors are read when they are looked at.

        Raises:
            CheckpointDamaged: the stored bytes of one of them are not those that were written.
        """
        return [opened_constraint(self._bytes, checkpoint, check_whole=True) for checkpoint in self._checkpoints()]

    def constraint(self, task_index: int) -> Constraint:
        """The constraint of one task, whose tensors are read when they are looked at.

        Raises:
            NotFound: the task has none.
            CheckpointDamaged: what is stored is no constraint.
        """
        for checkpoint in self._checkpoints():
            if checkpoint.task_index == task_index:
                return opened_constraint(self._bytes, checkpoint, check_whole=False)
        raise NotFound("constraint", f"{self._job.id}/{task_index}")

    def _checkpoints(self) -> list[CheckpointRecord]:
        with self._database.read() as work:
            return work.checkpoints.of_constraints(self._job.id)

    def subject(self, job_id: str, *, at_visit: int | None) -> Subject:
        """Another job of the same owner, after its visit `at_visit` or after its last one.

        Raises:
            NotFound: the owner has no such job.
            CheckpointDamaged: the stored bytes of a checkpoint are not those that were written.
            SpecError: it has no such visit.
        """
        return load_subject(self._database, job_id, owner=self._job.owner, at_visit=at_visit, data_dir=self.data_dir)


def load_subject(database: Database, job_id: str, *, owner: str, at_visit: int | None, data_dir: Path | None) -> Subject:
    """A job as an analysis looks at it; see `RecordedJob.subject`."""
    with database.read() as work:
        job = work.jobs.get(job_id, owner=owner)
        method = job.learning.method.kind
        checkpoint = work.checkpoints.latest(job.id, visit_index=at_visit, method=method)
        weights_by_task = {record.task_index: record.weight for record in work.constraints.list(job.id)}
        consolidated = work.checkpoints.of_constraints(job.id)
        tasks = [task.spec for task in work.tasks.list(job.id)]
        digests = work.tasks.digests(job.id)
    if checkpoint is None:
        which = "no visit" if at_visit is None else f"visit {at_visit} not"
        raise SpecError(f"job {job.id} has {which} finished, so there are no parameters to analyse", field="question.at_visit")
    return Subject(
        spec=job.learning,
        tasks=tasks,
        constraints=[stored_constraint(database, one) for one in consolidated],
        weights=stored_weights(database, checkpoint),
        own=partial(_own, database, job.id, method, checkpoint.visit_index),
        data_dir=data_dir,
        constraint_weights={task: weight for task, weight in weights_by_task.items() if weight != 1.0},
        digests=digests,
    )


def remove_replays(settings: WorkerSettings, job_id: str) -> None:
    """Delete the replays of a job that will not go on, if it has any."""
    shutil.rmtree(_replay_folder(settings, job_id), ignore_errors=True)


def _own(database: Database, job_id: str, method: str, visit_index: int, task: int) -> Mapping[str, Tensor] | None:
    with database.read() as work:
        latest = work.checkpoints.latest_of_tasks(job_id, method=method, up_to_visit=visit_index).get(task)
    return None if latest is None else stored_weights(database, latest)


def _replay_folder(settings: WorkerSettings, job_id: str) -> Path:
    """It must outlive the worker, and be shared where jobs move between hosts."""
    return settings.state_dir / "replay" / job_id
