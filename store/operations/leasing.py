"""Leasing: how a worker takes a job."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from store.base import db_now
from store.job_states import DesiredState, JobStatus
from store.operations.job_life import JobLife
from store.records import Fence
from store.repositories.leases import Leases
from store.tables import JobRow, LeaseRow


class Leasing(Leases):
    """Leases, with the claim, which moves the job too."""

    def claim(self, job_id: str, *, worker_id: str, ttl_seconds: float) -> Fence | None:
        """Take a queued job that should run; None when it is not to be had.

        The job is `starting` afterwards, its attempts are counted, and the move is recorded with the new epoch.
        """
        due = select(JobRow.id).where(
            JobRow.id == job_id, JobRow.status == JobStatus.QUEUED.value, JobRow.desired_state == DesiredState.RUN.value
        )
        if self._connection.execute(due.with_for_update()).one_or_none() is None:
            return None
        attempts = {"attempt": JobRow.attempt + 1, "attempts_since_progress": JobRow.attempts_since_progress + 1}
        self._connection.execute(update(JobRow).where(JobRow.id == job_id).values(**attempts))
        fence = Fence(job_id=job_id, epoch=self._next_epoch(job_id, worker_id, ttl_seconds), worker_id=worker_id)
        JobLife(self._transaction).transition(job_id, JobStatus.STARTING, reason="claimed", actor=worker_id, epoch=fence.epoch)
        return fence

    def _next_epoch(self, job_id: str, worker_id: str, ttl_seconds: float) -> int:
        expires_at = db_now(ttl_seconds)
        taken = (
            update(LeaseRow)
            .where(LeaseRow.job_id == job_id)
            .values(epoch=LeaseRow.epoch + 1, worker_id=worker_id, expires_at=expires_at)
            .returning(LeaseRow.epoch)
        )
        epoch = self._connection.execute(taken).scalar_one_or_none()
        if epoch is not None:
            return epoch
        self._connection.execute(insert(LeaseRow).values(job_id=job_id, epoch=1, worker_id=worker_id, expires_at=expires_at))
        return 1
