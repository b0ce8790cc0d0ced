"""Leases: which worker holds a job, until when, and whether it still does.

A lease has an epoch that grows by one with each claim. Every write of a holder is guarded by its epoch, so a holder
that lost its job (it was stopped, or cut off) can wake up and write nothing. All times are the database's.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, bindparam, select, update

from ewc_core.errors import Fenced
from store.base import db_now
from store.job_states import HELD, JobStatus
from store.records import ExpiredLease, Fence, LeaseRecord
from store.repositories.repository import Repository
from store.tables import JobRow, LeaseRow

_GET = select(*LeaseRow.__table__.columns).where(LeaseRow.job_id == bindparam("job_id"))


class Leases(Repository):
    """At most one holder per job. Locks the job's row first, the lease's second."""

    def extend(self, fence: Fence, *, ttl_seconds: float) -> str:
        """Heartbeat: the lease lasts `ttl_seconds` from now. Returns what the owner wants of the job.

        Raises:
            Fenced: the lease is no longer this one.
        """
        statement = update(LeaseRow).where(*_is_held_by(fence)).values(expires_at=db_now(ttl_seconds))
        if self._connection.execute(statement).rowcount == 0:
            raise Fenced(fence.job_id, fence.epoch)
        return self._connection.execute(select(JobRow.desired_state).where(JobRow.id == fence.job_id)).scalar_one()

    def release(self, fence: Fence) -> None:
        """Give the job up: the lease ends now and its fence is stale from now on.

        Raises:
            Fenced: the lease is no longer this one.
        """
        statement = update(LeaseRow).where(*_is_held_by(fence)).values(worker_id=None, expires_at=db_now())
        if self._connection.execute(statement).rowcount == 0:
            raise Fenced(fence.job_id, fence.epoch)

    def guard(self, fence: Fence) -> None:
        """Lock the job and its lease for this transaction.

        Raises:
            Fenced: the lease is no longer this one.
        """
        self._connection.execute(select(JobRow.id).where(JobRow.id == fence.job_id).with_for_update())
        held = self._connection.execute(select(LeaseRow.epoch).where(*_is_held_by(fence)).with_for_update()).one_or_none()
        if held is None:
            raise Fenced(fence.job_id, fence.epoch)

    def expired(self) -> list[ExpiredLease]:
        """Jobs in a held state whose lease has run out by the database's clock."""
        query = (
            select(JobRow.id.label("job_id"), JobRow.status, LeaseRow.epoch, JobRow.attempts_since_progress)
            .join(LeaseRow, LeaseRow.job_id == JobRow.id)
            .where(JobRow.status.in_(sorted(status.value for status in HELD)), LeaseRow.expires_at <= db_now())
            .order_by(JobRow.id)
        )
        return [ExpiredLease(**{**row, "status": JobStatus(row["status"])}) for row in self._connection.execute(query).mappings()]

    def revoke(self, lease: ExpiredLease) -> bool:
        """Take an expired lease from its holder, unless it was extended or claimed meanwhile; whether it was taken."""
        self._connection.execute(select(JobRow.id).where(JobRow.id == lease.job_id).with_for_update())
        statement = (
            update(LeaseRow)
            .where(LeaseRow.job_id == lease.job_id, LeaseRow.epoch == lease.epoch, LeaseRow.expires_at <= db_now())
            .values(worker_id=None)
        )
        return self._connection.execute(statement).rowcount == 1

    def get(self, job_id: str) -> LeaseRecord | None:
        """The job's lease, or None before its first claim."""
        row = self._connection.execute(_GET, {"job_id": job_id}).mappings().one_or_none()
        return None if row is None else LeaseRecord(**row)


def _is_held_by(fence: Fence) -> tuple[ColumnElement[bool], ...]:
    return (LeaseRow.job_id == fence.job_id, LeaseRow.epoch == fence.epoch, LeaseRow.worker_id.is_not(None))
