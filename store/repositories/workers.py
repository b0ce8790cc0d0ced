"""Workers and their heartbeats."""

from __future__ import annotations

import builtins

from sqlalchemy import delete, insert, select, update

from store.base import db_now
from store.records import WorkerRecord
from store.repositories.repository import Repository
from store.tables import WorkerRow


class Workers(Repository):
    """Which workers there are."""

    def beat(self, worker_id: str, *, hostname: str, pid: int, queue: str, slots: int) -> None:
        """The worker is alive; its first beat records when it started."""
        facts = {"hostname": hostname, "pid": pid, "queue": queue, "slots": slots, "last_seen_at": self._now}
        if self._connection.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(**facts)).rowcount == 0:
            self._connection.execute(insert(WorkerRow).values(id=worker_id, started_at=self._now, **facts))

    def list(self, *, alive_seconds: float = 30) -> builtins.list[WorkerRecord]:
        """Workers heard of within this time, oldest first."""
        query = select(WorkerRow).where(WorkerRow.last_seen_at >= db_now(-alive_seconds))
        query = query.order_by(WorkerRow.started_at, WorkerRow.id)
        return [WorkerRecord(**row) for row in self._connection.execute(query).mappings()]

    def remove(self, worker_id: str) -> None:
        """The worker has gone."""
        self._connection.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))
