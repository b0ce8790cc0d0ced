"""Attempts: when a worker began to run a job, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, insert, select

from ewc_core.errors import RowDamaged
from store.driver_errors import driver_errors_translated
from store.records import AttemptRecord, Fence
from store.repositories.repository import Repository
from store.tables import AttemptRow, JobRow


class Attempts(Repository):
    """One row per attempt whose trainer has begun. `environment` is what can change the bits of a result, by name."""

    def add(self, fence: Fence, environment: Mapping[str, str]) -> AttemptRecord | None:
        """Keep where the present attempt of a job runs; returns the attempt before it, if that has been kept and can be read."""
        number = self._connection.execute(select(JobRow.attempt).where(JobRow.id == fence.job_id)).scalar_one()
        before = select(AttemptRow).where(AttemptRow.job_id == fence.job_id).order_by(AttemptRow.attempt.desc()).limit(1)
        previous = self._previous(before)
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
        return previous

    def _previous(self, query: Select[Any]) -> AttemptRecord | None:
        try:
            with driver_errors_translated():
                row = self._connection.execute(query).mappings().one_or_none()
        except RowDamaged:  # it would only have been compared
            return None
        return AttemptRecord(**row) if row is not None and isinstance(row["environment"], Mapping) else None

    def of_job(self, job_id: str, *, after: int = 0, limit: int = 100) -> list[AttemptRecord]:
        """The attempts that follow number `after`, oldest first."""
        query = select(AttemptRow).where(AttemptRow.job_id == job_id, AttemptRow.attempt > after)
        rows = self._connection.execute(query.order_by(AttemptRow.attempt).limit(limit)).mappings()
        return [AttemptRecord(**row) for row in rows]
