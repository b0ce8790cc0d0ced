"""The queue: which jobs are due, who could take them and in which order. It is kept in the jobs' rows, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, bindparam, case, exists, func, or_, select, update

from store.base import are_among, db_now
from store.job_states import HELD, RECORD_UNAVAILABLE, RECOVERED_REASONS, DesiredState, JobStatus
from store.records import JobSummary
from store.repositories.repository import Repository
from store.repositories.workers import Workers
from store.tables import JobRow
from store.worker_records import Room

FIRST_WAKE_UP_SECONDS = 10
MAX_WAKE_UP_SECONDS = 300
RECORD_PAUSE_SECONDS = 5
"""A job whose attempt found no record, or a full disk, is left alone for so long: the next attempt would find the same."""
LOCKED_SECONDS = 0.5
"""For so long a claim waits for the first job while somebody else has locked its row."""
_TRY_AGAIN_SECONDS = 0.005

_MARK_WOKEN = (
    update(JobRow).where(JobRow.id == bindparam("job_id")).values(woken_at=db_now(), num_wake_ups=JobRow.num_wake_ups + 1)
)


class Queue(Repository):
    """The queue of record: a job is due when its row says so, whatever became of any message."""

    def choose(self, worker_id: str, *, passed_over: Collection[str] = ()) -> str | None:
        """Lock the job that this worker is to take: of those that are due and fit beside what it runs, the first. None
        without any, and for a worker that is not there.

        First come jobs whose last attempt ended too early; then those with the highest priority; then those of the owner
        with the fewest running jobs in slots of this kind; then the oldest. Locks the worker's row before the job's, so
        processes of one worker choose one after the other.

        A job whose row somebody else has locked is not skipped at once, which would let others overtake it: most locks are
        gone in milliseconds, and the job with them or not. One that stays locked is left for a later look.
        """
        worker = Workers(self._transaction).find(worker_id, lock=True)
        if worker is None:
            return None
        locked: set[str] = set()
        while True:
            fits = and_(_fits(worker.room), JobRow.id.not_in({*passed_over, *locked}))
            give_up_at = time.monotonic() + LOCKED_SECONDS
            while (first := self._connection.execute(_first(fits)).scalar_one_or_none()) is not None:
                is_free = select(JobRow.id).where(JobRow.id == first, _is_due(), fits).with_for_update(skip_locked=True)
                if self._connection.execute(is_free).one_or_none() is not None:
                    return first
                if time.monotonic() > give_up_at:
                    break
                time.sleep(_TRY_AGAIN_SECONDS)
            if first is None:
                return None
            locked.add(first)

    def has_work_for(self, worker_id: str) -> bool:
        """Whether a job is due that fits beside what this worker runs. Locks nothing."""
        worker = Workers(self._transaction).find(worker_id)
        return worker is not None and self._is_any_due(_fits(worker.room))

    def has_work_for_anybody(self, *, woken_within_seconds: float | None = None) -> bool:
        """Whether a job is due that fits beside what some living worker runs. With `woken_within_seconds` only jobs count
        that were woken so lately, or not yet."""
        rooms = {worker.room for worker in Workers(self._transaction).alive()}
        fits = or_(*(_fits(room) for room in rooms if room.slots))
        if not any(room.slots for room in rooms):
            return False
        if woken_within_seconds is not None:
            fits = and_(fits, or_(JobRow.woken_at.is_(None), JobRow.woken_at >= db_now(-woken_within_seconds)))
        return self._is_any_due(fits)

    def due_for_wake_up(self, *, limit: int = 100) -> list[str]:
        """Jobs that are due and whose last wake-up, if any, has had its time: 10 s, doubling up to 300 s."""
        waits = {num: min(FIRST_WAKE_UP_SECONDS * 2**num, MAX_WAKE_UP_SECONDS) for num in range(6)}
        patience = case(waits, value=JobRow.num_wake_ups, else_=MAX_WAKE_UP_SECONDS)
        query = (
            select(JobRow.id)
            .where(_is_due(), or_(JobRow.woken_at.is_(None), JobRow.woken_at < db_now(-patience)))
            .order_by(JobRow.created_at, JobRow.id)
            .limit(limit)
        )
        return list(self._connection.execute(query).scalars())

    def mark_woken(self, job_ids: Iterable[str]) -> None:
        """A wake-up was sent just now, while these jobs were due."""
        self._connection.execute(_MARK_WOKEN, [{"job_id": job_id} for job_id in sorted(job_ids)])

    def reset_wake_ups(self) -> int:
        """Make all queued jobs due for a wake-up again (a worker has come, or the broker has lost its messages); how many."""
        queued = select(JobRow.id).where(JobRow.status == JobStatus.QUEUED.value).order_by(JobRow.id).with_for_update()
        ids = list(self._connection.execute(queued).scalars())
        again = update(JobRow).where(JobRow.status == JobStatus.QUEUED.value).values(woken_at=None, num_wake_ups=0)
        self._connection.execute(again)
        return len(ids)

    def position(self, job: JobSummary) -> int | None:
        """1 for the queued job that is claimed next, of all that wait for slots of its kind, whosever they are and whatever
        they ask of a worker; None for a job that is not queued."""
        if job.status is not JobStatus.QUEUED:
            return None
        running = _running()
        place = func.row_number().over(order_by=_order(running)).label("place")
        queued = select(JobRow.id, place).outerjoin(running, _is_of_owner(running))
        queued = queued.where(JobRow.status == JobStatus.QUEUED.value, JobRow.slot == job.slot)
        places = queued.subquery()
        return self._connection.execute(select(places.c.place).where(places.c.id == job.id)).scalar_one_or_none()

    def _is_any_due(self, fits: ColumnElement[bool]) -> bool:
        return bool(self._connection.execute(select(exists().where(_is_due(), fits))).scalar_one())


def _is_due() -> ColumnElement[bool]:
    may_go_on = or_(JobRow.status_reason.is_distinct_from(RECORD_UNAVAILABLE), JobRow.updated_at <= db_now(-RECORD_PAUSE_SECONDS))
    return and_(JobRow.status == JobStatus.QUEUED.value, JobRow.desired_state == DesiredState.RUN.value, may_go_on)


def _fits(room: Room) -> ColumnElement[bool]:
    """What `Room.holds` says of one job."""
    parts = [
        JobRow.slot.in_(sorted(slot.value for slot in room.slots)),
        JobRow.device == room.device,
        are_among(JobRow.labels, sorted(room.labels)),
    ]
    if room.memory_bytes is not None:
        parts.append(or_(JobRow.memory_bytes.is_(None), JobRow.memory_bytes <= room.memory_bytes))
    return and_(*parts)


def _running() -> Subquery:
    """How many jobs of each owner are running, by kind of slot."""
    return (
        select(JobRow.owner, JobRow.slot, func.count().label("num"))
        .where(JobRow.status.in_(sorted(status.value for status in HELD)))
        .group_by(JobRow.owner, JobRow.slot)
        .subquery()
    )


def _first(fits: ColumnElement[bool]) -> Select[str]:
    running = _running()
    query = select(JobRow.id).outerjoin(running, _is_of_owner(running)).where(_is_due(), fits)
    return query.order_by(*_order(running)).limit(1)


def _is_of_owner(running: Subquery) -> ColumnElement[bool]:
    return and_(running.c.owner == JobRow.owner, running.c.slot == JobRow.slot)


def _order(running: Subquery) -> list[ColumnElement[Any]]:
    return [
        case((JobRow.status_reason.in_(sorted(RECOVERED_REASONS)), 0), else_=1),
        JobRow.priority.desc(),
        func.coalesce(running.c.num, 0),
        JobRow.created_at.asc(),
        JobRow.id.asc(),
    ]
