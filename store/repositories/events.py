"""Events of a job, numbered without a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, insert, select, update

from ewc_core.errors import NotFound, RowDamaged
from store.driver_errors import driver_errors_translated
from store.records import EventRecord
from store.repositories.repository import Repository
from store.tables import EventRow, JobRow
from store.tables.observations import EVENT_LEVELS

WARNING = "job.warning"
"""Type of the events by which training warns; their data name a `code`."""
DAMAGED = "event.damaged"
"""Type of what stands in the place of an event that cannot be read."""

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
_ONE = select(*EventRow.__table__.columns).where(_OF_JOB, EventRow.seq == bindparam("seq"))
_SEQS_OF_WARNINGS = select(EventRow.seq).where(_OF_JOB, EventRow.type == WARNING).order_by(EventRow.seq)
_LATEST = select(func.max(EventRow.seq)).where(_OF_JOB, EventRow.type == WARNING).group_by(EventRow.data["code"].as_string())
_NUM_WARNINGS = 20
_WARNINGS = select(*EventRow.__table__.columns).where(_OF_JOB, EventRow.seq.in_(_LATEST)).order_by(EventRow.seq)
_WARNINGS = _WARNINGS.limit(_NUM_WARNINGS)


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
        """The events that follow `after_seq`, oldest first; in the place of one that cannot be read stands one of the type
        DAMAGED."""
        values = {"job": job_id, "after": after_seq, "num": limit}
        try:
            with driver_errors_translated():
                return [self._record(row) for row in self._connection.execute(_PAGE, values).mappings()]
        except RowDamaged:
            seqs = self._connection.execute(_PAGE.with_only_columns(EventRow.seq), values).scalars().all()
            return [self._one(job_id, seq) for seq in seqs]

    def warnings(self, job_id: str) -> list[EventRecord]:
        """The latest event of type `job.warning` for each `code` in their data, oldest first; at most 20. One that cannot be
        read is of the type DAMAGED and has the code `row_damaged`.

        Cost: reads the job's own events (at most about a hundred per visit), and nothing of other jobs.
        """
        try:
            with driver_errors_translated():
                return [self._record(row) for row in self._connection.execute(_WARNINGS, {"job": job_id}).mappings()]
        except RowDamaged:
            seqs = self._connection.execute(_SEQS_OF_WARNINGS, {"job": job_id}).scalars().all()
            latest = {event.data.get("code"): event for event in (self._one(job_id, seq) for seq in seqs)}
            return sorted(latest.values(), key=lambda event: event.seq)[:_NUM_WARNINGS]

    def last_seqs(self, job_ids: Sequence[str]) -> dict[str, int]:
        """The last `seq` of each of these jobs that exists."""
        query = select(JobRow.id, JobRow.last_event_seq).where(JobRow.id.in_(job_ids))
        return {row.id: row.last_event_seq for row in self._connection.execute(query)}

    def _one(self, job_id: str, seq: int) -> EventRecord:
        try:
            with driver_errors_translated():
                return self._record(self._connection.execute(_ONE, {"job": job_id, "seq": seq}).mappings().one())
        except RowDamaged:
            return self._stand_in(job_id, seq)

    def _record(self, row: RowMapping) -> EventRecord:
        texts = (row["type"], row["message"])
        is_whole = isinstance(row["data"], Mapping) and row["level"] in EVENT_LEVELS and row["at"] is not None
        if is_whole and all(isinstance(one, str) for one in texts):
            return EventRecord(**row)
        return self._stand_in(row["job_id"], row["seq"])

    def _stand_in(self, job_id: str, seq: int) -> EventRecord:
        """Without it the numbers would have a gap, and whoever follows the job would wait for ever. Its time is that of the
        reading: none is known."""
        message = f"event {seq} cannot be read: its record is damaged. The job and its other events are not affected"
        data = {"code": RowDamaged.code}
        return EventRecord(job_id=job_id, seq=seq, level="error", type=DAMAGED, message=message, data=data, at=self._now)
