"""A job as one of its visits left it: restored from the visit's snapshot, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ewc_core.consolidation import Constraint
from ewc_core.errors import NotFound, SpecError
from ewc_core.resume import ResumePoint
from ewc_core.specs import AnyTaskSpec
from ewc_core.specs.limits import NO_LIMITS
from ewc_core.training.snapshot import unpack
from ewc_core.training.stored import Subject
from store.blobs import iter_range, read_blob
from store.records import JobRecord, SnapshotRecord
from store.unit_of_work import Database
from worker.snapshot import FILE_PART
from worker.stored_state import constraint_weights_in, constraints_in, restoring
from worker.stored_subject import load_subject


class RestoredJob:
    """A `StoredJob`: a run that is taken up with it stands behind the visit. `replay_folder` is where that run may keep files,
    as one of this `generation`; the job's own stay as they are."""

    visiting: int | None = None
    limits = NO_LIMITS

    def __init__(
        self,
        database: Database,
        job: JobRecord,
        snapshot: SnapshotRecord,
        *,
        data_dir: Path | None,
        replay_folder: Path,
        generation: int,
    ) -> None:
        self.data_dir, self.replay_folder, self.generation = data_dir, replay_folder, generation
        self._database, self._job, self._snapshot = database, job, snapshot

    @property
    def point(self) -> ResumePoint:
        """The state between the visit and the next, read anew at each look.

        Raises:
            ResumePointDamaged: its bytes are not those that were stored.
        """
        with restoring(self._snapshot):
            return unpack(self._snapshot.manifest["state"], self._read)

    @property
    def tasks(self) -> Sequence[AnyTaskSpec]:
        """All tasks by index, those announced later included."""
        with self._database.read() as work:
            return [task.spec for task in work.tasks.of_job(self._job.id)]

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of all data read until then."""
        digests: dict[str, str] = self._snapshot.manifest["state"]["digests"]
        return digests

    @property
    def constraints(self) -> Sequence[Constraint]:
        """As they were in force then: a task that was visited again since has another one now.

        Raises:
            CheckpointDamaged: the stored bytes of one of them are not those that were written.
        """
        return constraints_in(self._database, self._snapshot)

    def constraint(self, task_index: int) -> Constraint:
        """The constraint of one task, as one of `constraints`.

        Raises:
            NotFound: the task had none.
            CheckpointDamaged: its stored bytes are not those that were written.
        """
        for constraint in self.constraints:
            if constraint.task_index == task_index:
                return constraint
        raise NotFound("constraint", f"{self._job.id}/{task_index}")

    @property
    def constraint_weights(self) -> dict[int, float]:
        """How often constraints counted, by task, where their owner had changed it."""
        return constraint_weights_in(self._snapshot)

    def put_files(self, folder: Path) -> bool:
        """Write the replays that the snapshot keeps into `folder`; whether it keeps them.

        Raises:
            ResumePointDamaged: their bytes are not those that were stored.
        """
        kept = self._snapshot.manifest["files"]
        if not kept["are_kept"]:
            return False
        folder.mkdir(parents=True)
        with restoring(self._snapshot):
            for name, size in kept["sizes"].items():
                file = folder / name
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as opened:
                    for piece in iter_range(self._database, self._blob(FILE_PART + name), 0, size):
                        opened.write(piece)
        return True

    def subject(self, job_id: str, *, at_visit: int | None) -> Subject:
        """Another job of the same owner; see `load_subject`."""
        return load_subject(self._database, job_id, owner=self._job.owner, at_visit=at_visit, data_dir=self.data_dir)

    def _read(self, part: str) -> bytes:
        return read_blob(self._database, self._blob(part))

    def _blob(self, part: str) -> str:
        if part not in self._parts:
            raise NotFound("part of a snapshot", f"{self._snapshot.id}/{part}")
        return self._parts[part]

    @cached_property
    def _parts(self) -> dict[str, str]:
        with self._database.read() as work:
            return work.snapshots.parts(self._snapshot.id)


def restore(
    database: Database, job: JobRecord, visit_index: int, *, data_dir: Path | None, replay_folder: Path, generation: int
) -> RestoredJob:
    """The job as its visit `visit_index` left it.

    Raises:
        SpecError: the visit left no snapshot, or it was dropped; those that are there are named.
    """
    with database.read() as work:
        snapshot = work.snapshots.find(job.id, visit_index)
        kept = work.snapshots.visits(job.id)
    if snapshot is None:
        raise SpecError(
            f"job {job.id} has no snapshot of visit {visit_index}; it has those of visits {kept or 'none'}", field="visit_index"
        )
    return RestoredJob(database, job, snapshot, data_dir=data_dir, replay_folder=replay_folder, generation=generation)
