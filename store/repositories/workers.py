"""Workers: their heartbeats, what they offer, and what they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, case, delete, func, insert, select, update

from ewc_core.specs import Slot
from store.base import db_now
from store.repositories.job_rows import CPU
from store.repositories.repository import Repository
from store.tables import JobRow, LeaseRow, WorkerRow
from store.worker_records import WorkerRecord


class Workers(Repository):
    """Which workers there are. A worker holds its leases under the id of its row."""

    def beat(
        self,
        worker_id: str,
        *,
        hostname: str,
        pid: int,
        queue: str,
        slots: int,
        labels: Sequence[str] = (),
        memory_bytes: int | None = None,
    ) -> None:
        """The worker is alive; its first beat records when it started."""
        facts = {"hostname": hostname, "pid": pid, "queue": queue, "slots": slots, "last_seen_at": self._now}
        facts |= {"device": CPU, "labels": sorted(set(labels)), "memory_bytes": memory_bytes}
        if self._connection.execute(update(WorkerRow).where(WorkerRow.id == worker_id).values(**facts)).rowcount == 0:
            self._connection.execute(insert(WorkerRow).values(id=worker_id, started_at=self._now, **facts))

    def alive(self, *, alive_seconds: float = 30) -> list[WorkerRecord]:
        """Workers heard of within this time, oldest first."""
        query = _SELECT.where(WorkerRow.last_seen_at >= db_now(-alive_seconds))
        query = query.order_by(WorkerRow.started_at, WorkerRow.id)
        return [WorkerRecord(**row) for row in self._connection.execute(query).mappings()]

    def find(self, worker_id: str, *, lock: bool = False) -> WorkerRecord | None:
        """One worker, alive or not; with `lock` nobody else claims a job for it until this transaction ends."""
        if lock:
            # A statement of its own: one that has waited for the lock counts the leases as they were before.
            self._connection.execute(select(WorkerRow.id).where(WorkerRow.id == worker_id).with_for_update())
        row = self._connection.execute(_SELECT.where(WorkerRow.id == worker_id)).mappings().one_or_none()
        return None if row is None else WorkerRecord(**row)

    def remove(self, worker_id: str) -> None:
        """The worker has gone."""
        self._connection.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


def _select_with_what_they_run() -> Select[Any]:
    """A lease counts until it is released or taken away, even if it has run out: its holder may still be at work."""
    held = (
        select(
            LeaseRow.worker_id,
            func.sum(case((JobRow.slot == Slot.TRAINING.value, 1), else_=0)).label("num_training"),
            func.sum(case((JobRow.slot == Slot.SHORT.value, 1), else_=0)).label("num_short"),
            func.sum(func.coalesce(JobRow.memory_bytes, 0)).label("memory_bytes"),
        )
        .join(JobRow, JobRow.id == LeaseRow.job_id)
        .where(LeaseRow.worker_id.is_not(None))
        .group_by(LeaseRow.worker_id)
        .subquery()
    )
    return select(
        *WorkerRow.__table__.columns,
        func.coalesce(held.c.num_training, 0).label("num_training"),
        func.coalesce(held.c.num_short, 0).label("num_short"),
        func.coalesce(held.c.memory_bytes, 0).label("held_memory_bytes"),
    ).outerjoin(held, held.c.worker_id == WorkerRow.id)


_SELECT = _select_with_what_they_run()
