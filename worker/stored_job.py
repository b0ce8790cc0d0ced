"""A job as the record has it now, for whoever takes it up: its last snapshot, and what was under way since."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ewc_core.consolidation import Constraint
from ewc_core.errors import NotFound, ResumePointDamaged
from ewc_core.resume import ResumePoint
from ewc_core.specs import AnyTaskSpec
from ewc_core.training.stored import Subject
from store.records import CheckpointRecord, Fence, JobRecord, ResumePointRecord, SnapshotRecord
from store.unit_of_work import Database
from worker.restored_job import RestoredJob
from worker.settings import WorkerSettings
from worker.stored_bytes import StoredBytes
from worker.stored_state import opened_constraint, stored_point
from worker.stored_subject import load_subject


class RecordedJob:
    """A `StoredJob`: the job that a fence holds. A resume point holds what is under way since the last snapshot; a job of
    version 0.2.0 has no snapshot of the visits of then, and a resume point between visits, too."""

    def __init__(
        self, database: Database, settings: WorkerSettings, fence: Fence, job: JobRecord, *, is_before_point: bool = False
    ) -> None:
        """`is_before_point`: the resume point is not looked at; see `without_point`."""
        self.data_dir, self.limits = settings.data_dir, settings.limits_here
        self.replay_folder = _replay_folder(settings, job.id)
        self.generation = fence.epoch
        self._database, self._settings, self._fence, self._job = database, settings, fence, job
        self._is_before_point = is_before_point
        self._bytes = StoredBytes(database)

    @property
    def point(self) -> ResumePoint | None:
        """The point to go on from; None for a job that begins. That of a snapshot is read anew at each look: it is as large as
        the networks, and the job has them in memory already.

        Raises:
            ResumePointDamaged: its bytes are not those that were stored.
        """
        if self._under_way is not None:
            return self._under_way
        return None if self._latest is None else self._latest.point

    @property
    def tasks(self) -> Sequence[AnyTaskSpec]:
        """All tasks by index, announced ones included."""
        with self._database.read() as work:
            return [task.spec for task in work.tasks.of_job(self._job.id)]

    @property
    def visiting(self) -> int | None:
        """The index of the task whose visit is under way at the point; None between visits."""
        point = self._under_way
        if point is None or point.step == 0:
            return None
        with self._database.read() as work:
            visit = work.switches.find_visit(self._job.id, point.visit_index)
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

    def put_files(self, folder: Path) -> bool:
        """Write the replays that the last snapshot keeps into `folder`. What was under way since has replays of its own, which
        are nowhere else than beside the record: False.

        Raises:
            ResumePointDamaged: their bytes are not those that were stored.
        """
        return self._under_way is None and self._latest is not None and self._latest.put_files(folder)

    def subject(self, job_id: str, *, at_visit: int | None) -> Subject:
        """Another job of the same owner, after its visit `at_visit` or after its last one; see `load_subject`."""
        return load_subject(self._database, job_id, owner=self._job.owner, at_visit=at_visit, data_dir=self.data_dir)

    def without_point(self, damage: ResumePointDamaged) -> tuple[ResumePointRecord, RecordedJob]:
        """The resume point, given up, and the job as its last snapshot left it or, where no visit is finished, as it began. The
        replays beside the record, which belong to the point, are deleted.

        Raises:
            ResumePointDamaged: `damage`, where there is no such point, or no snapshot that has all that comes before it.
            Fenced: another worker holds the job, and its replays.
        """
        lost = self._saved
        if lost is None or not self._is_whole_before(lost):
            raise damage
        with self._database.fenced(self._fence):
            remove_replays(self._settings, self._job.id)
        return lost, RecordedJob(self._database, self._settings, self._fence, self._job, is_before_point=True)

    def _is_whole_before(self, lost: ResumePointRecord) -> bool:
        if self._snapshot is None:
            return lost.visit_index == 0
        files = self._snapshot.manifest["files"]
        return self._snapshot.visit_index == lost.visit_index - 1 and (files["are_kept"] or not files["sizes"])

    @cached_property
    def _saved(self) -> ResumePointRecord | None:
        with self._database.read() as work:
            return work.resume_points.get(self._job.id)

    @cached_property
    def _under_way(self) -> ResumePoint | None:
        return None if self._saved is None or self._is_before_point else stored_point(self._bytes, self._saved)

    @cached_property
    def _snapshot(self) -> SnapshotRecord | None:
        with self._database.read() as work:
            return work.snapshots.latest(self._job.id)

    @cached_property
    def _latest(self) -> RestoredJob | None:
        if self._snapshot is None:
            return None
        return RestoredJob(
            self._database,
            self._job,
            self._snapshot,
            data_dir=self.data_dir,
            replay_folder=self.replay_folder,
            generation=self.generation,
        )


def remove_replays(settings: WorkerSettings, job_id: str) -> None:
    """Delete the replays that lie beside the record of a job that will not go on, if it has any."""
    shutil.rmtree(_replay_folder(settings, job_id), ignore_errors=True)


def _replay_folder(settings: WorkerSettings, job_id: str) -> Path:
    """It must outlive the worker, and be shared where jobs move between hosts."""
    return settings.state_dir / "replay" / job_id
