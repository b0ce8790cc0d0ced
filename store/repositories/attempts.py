"""Attempts: when a worker began to run a job, and where."""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from sqlalchemy import insert, select

from store.records import AttemptRecord, Fence
from store.repositories.repository import Repository
from store.tables import AttemptRow, JobRow


class Attempts(Repository):
    """One row per attempt whose trainer has begun. `environment` is what can change the bits of a result, by name."""

    def add(self, fence: Fence, environment: Mapping[str, str]) -> AttemptRecord | None:
        """Keep where the present attempt of a job runs; returns the attempt before it, if that has been kept."""
        number = self._connection.execute(select(JobRow.attempt).where(JobRow.id == fence.job_id)).scalar_one()
        before = select(AttemptRow).where(AttemptRow.job_id == fence.job_id).order_by(AttemptRow.attempt.desc()).limit(1)
        previous = self._connection.execute(before).mappings().one_or_none()
        self._connection.execute(
            insert(AttemptRow).values(
                job_id=fence.job_id,
                attempt=number,
                epoch=fence.epoch,
                worker_id=fence.worker_id,
                started_at=self._now,
                environment=dict(environment),
            )
        )
        return None if previous is None else AttemptRecord(**previous)

    def list(self, job_id: str, *, after: int = 0, limit: int = 100) -> builtins.list[AttemptRecord]:
        """The attempts that follow number `after`, oldest first."""
        query = select(AttemptRow).where(AttemptRow.job_id == job_id, AttemptRow.attempt > after)
        rows = self._connection.execute(query.order_by(AttemptRow.attempt).limit(limit)).mappings()
        return [AttemptRecord(**row) for row in rows]
