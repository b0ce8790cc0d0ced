"""Results of jobs without tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from store.records import ResultRecord
from store.repositories.repository import Repository
from store.tables import ResultRow


class Results(Repository):
    """What association and analysis jobs have found."""

    def put(self, job_id: str, body: Mapping[str, Any]) -> None:
        """Store the findings of a job; writing them again replaces them."""
        row = {"job_id": job_id, "body": dict(body), "created_at": self._now}
        self._insert_or_replace(ResultRow, [row], key=("job_id",))

    def get(self, job_id: str) -> ResultRecord | None:
        """The findings of a job, or None while there are none."""
        query = select(ResultRow).where(ResultRow.job_id == job_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else ResultRecord(**row)

    def of_jobs(self, job_ids: Sequence[str]) -> dict[str, ResultRecord]:
        """The findings of those of these jobs that have any."""
        query = select(ResultRow).where(ResultRow.job_id.in_(job_ids))
        return {row["job_id"]: ResultRecord(**row) for row in self._connection.execute(query).mappings()}
