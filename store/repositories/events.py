"""Events of a job, numbered without a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from ewc_core.errors import NotFound
from store.records import EventRecord
from store.repositories.repository import Repository
from store.tables import EventRow, JobRow

WARNING = "job.warning"
"""Type of the events by which training warns; their data name a `code`."""

# Made once: these are asked all the time, and putting them together takes longer than asking.
_OF_JOB = EventRow.job_id == bindparam("job")
_INSERT = insert(EventRow)
_LAST_SEQ = (
    update(JobRow)
    .where(JobRow.id == bindparam("job"))
    .values(last_event_seq=JobRow.last_event_seq + bindparam("num"), version=JobRow.version + 1)
    .returning(JobRow.last_event_seq)
)
_PAGE = (
    select(*EventRow.__table__.columns)
    .where(_OF_JOB, EventRow.seq > bindparam("after"))
    .order_by(EventRow.seq)
    .limit(bindparam("num"))
)
_LATEST = select(func.max(EventRow.seq)).where(_OF_JOB, EventRow.type == WARNING).group_by(EventRow.data["code"].as_string())
_WARNINGS = select(*EventRow.__table__.columns).where(_OF_JOB, EventRow.seq.in_(_LATEST)).order_by(EventRow.seq).limit(20)


class Events(Repository):
    """What happened to a job. Whoever has read up to `seq` n has missed nothing before n."""

    def add_first(self, job_id: str, *, type: str, message: str, data: Mapping[str, Any]) -> None:  # noqa: A002 the column's name
        """The first event of a new job, whose row counts it already."""
        event = {"type": type, "level": "info", "message": message, "data": dict(data), "at": self._now}
        self._connection.execute(_INSERT, {**event, "job_id": job_id, "seq": 1})

    def append(self, job_id: str, *, type: str, message: str, data: Mapping[str, Any] | None = None, level: str = "info") -> int:  # noqa: A002 the column's name
        """Add an event; returns its `seq`.

        The job's row is locked until the transaction ends, so numbers become visible in their order and a rolled back
        transaction leaves no gap.

        Raises:
            NotFound: there is no such job.
        """
        return self.append_all(job_id, [{"type": type, "level": level, "message": message, "data": dict(data or {})}])

    def append_all(self, job_id: str, events: Sequence[Mapping[str, Any]]) -> int:
        """Add events, each with type, level, message and data, in this order and in two statements; returns the last `seq`.

        Raises:
            NotFound: there is no such job.
        """
        last = self._connection.execute(_LAST_SEQ, {"job": job_id, "num": len(events)}).scalar_one_or_none()
        if last is None:
            raise NotFound("job", job_id)
        numbered = enumerate(events, start=last - len(events) + 1)
        rows = [{**event, "job_id": job_id, "seq": seq, "at": self._now} for seq, event in numbered]
        self._connection.execute(_INSERT, rows)
        return last

    def page(self, job_id: str, *, after_seq: int = 0, limit: int = 100) -> list[EventRecord]:
        """The events that follow `after_seq`, oldest first."""
        rows = self._connection.execute(_PAGE, {"job": job_id, "after": after_seq, "num": limit}).mappings()
        return [EventRecord(**row) for row in rows]

    def warnings(self, job_id: str) -> list[EventRecord]:
        """The latest event of type `job.warning` for each `code` in their data, oldest first; at most 20.

        Cost: reads the job's own events (at most about a hundred per visit), and nothing of other jobs.
        """
        return [EventRecord(**row) for row in self._connection.execute(_WARNINGS, {"job": job_id}).mappings()]

    def last_seqs(self, job_ids: Sequence[str]) -> dict[str, int]:
        """The last `seq` of each of these jobs that exists."""
        query = select(JobRow.id, JobRow.last_event_seq).where(JobRow.id.in_(job_ids))
        return {row.id: row.last_event_seq for row in self._connection.execute(query)}
