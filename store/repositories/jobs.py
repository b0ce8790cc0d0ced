"""Jobs as they stand: found, listed and counted, and their progress noted; `job_life` has how they begin and move."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, bindparam, case, func, select, update

from ewc_core.errors import InvalidCursor, NotFound, RowDamaged
from store.driver_errors import driver_errors_translated
from store.job_states import DesiredState, JobStatus
from store.records import JobOrders, JobRecord, JobStanding, JobSummary, Page, TransitionRecord
from store.repositories import job_rows
from store.repositories.repository import Repository
from store.tables import JobRow


class Jobs(Repository):
    """What is known of each job. Which of them are due is the `Queue`'s matter."""

    def get(self, job_id: str, *, owner: str | None = None, lock: bool = False) -> JobRecord:
        """One job with its spec; with `lock` nobody else can change it until this transaction ends.

        Raises:
            NotFound: there is no such job, or it belongs to another owner.
        """
        return job_rows.job_record(self._one(job_id, with_spec=True, owner=owner, lock=lock))

    def summary(self, job_id: str, *, owner: str | None = None, lock: bool = False) -> JobSummary:
        """As `get`, without the spec, which may be large."""
        return job_rows.job_summary(self._one(job_id, with_spec=False, owner=owner, lock=lock))

    def standing(self, job_id: str, *, lock: bool = False) -> JobStanding:
        """What the job's moves depend on; with `lock` nobody else can change it until this transaction ends.

        Raises:
            NotFound: there is no such job.
        """
        query = job_rows.STANDING.with_for_update() if lock else job_rows.STANDING
        row = self._connection.execute(query, {"job_id": job_id}).mappings().one_or_none()
        if row is None:
            raise NotFound("job", job_id)
        return job_rows.job_standing(row)

    def require(self, job_id: str, *, owner: str) -> None:
        """Raises NotFound when the owner has no such job."""
        if self._connection.execute(job_rows.FIND, {"job_id": job_id, "owner": owner}).one_or_none() is None:
            raise NotFound("job", job_id)

    def orders(self, job_id: str) -> JobOrders:
        """What the job's holder has to know at every heartbeat and flush."""
        query = select(JobRow.desired_state, JobRow.version).where(JobRow.id == job_id)
        return JobOrders(**self._connection.execute(query).mappings().one())

    def page(
        self,
        *,
        owner: str,
        limit: int,
        after: str | None = None,
        before: str | None = None,
        status: JobStatus | str | None = None,
    ) -> Page[JobSummary]:
        """Newest first. `after` the id of a job: older ones; `before`: the newer ones next to it.

        Raises:
            InvalidCursor: a cursor that is no job of this owner.
        """
        query = job_rows.select_page(with_status=status is not None, after=after is not None, before=before is not None)
        values = {"status": None if status is None else JobStatus(status).value}
        rows = self._page(query, values, owner=owner, limit=limit, after=after, before=before)
        return Page(items=[job_rows.job_summary(row) for row in rows.items], has_more=rows.has_more)

    def ids(
        self, *, owner: str, after: str | None = None, before: str | None = None, status: JobStatus | str | None = None
    ) -> list[str]:
        """As `list` without a limit, and nothing of the rows is read but their ids."""
        query = job_rows.select_page(with_status=status is not None, after=after is not None, before=before is not None)
        query = query.with_only_columns(JobRow.id).limit(None)
        values = {"status": None if status is None else JobStatus(status).value}
        return [row["id"] for row in self._page(query, values, owner=owner, limit=sys.maxsize, after=after, before=before).items]

    def list_analyses(self, job: JobSummary, *, limit: int, after: str | None = None) -> Page[JobRecord]:
        """The analyses of `job`, newest first; `after` is the id of the last one seen.

        Cost: no index knows whom an analysis is about. The index on (owner, created_at) leads to the owner's jobs that
        are no older than `job`; the database reads the spec of each, until the page is full. Nothing leaves the database
        but the page.

        Raises:
            InvalidCursor: `after` is no job of this owner.
        """
        query = select(*job_rows.columns_of(JobRecord)).where(
            JobRow.owner == bindparam("owner"),
            JobRow.created_at >= job.created_at,
            self._in_spec("job_id") == job.id,
        )
        query = job_rows.on_page(query, after=after is not None, before=False).limit(bindparam("num"))
        rows = self._page(query, {}, owner=job.owner, limit=limit, after=after)
        return Page(items=[job_rows.job_record(row) for row in rows.items], has_more=rows.has_more)

    def _in_spec(self, name: str) -> ColumnElement[str]:
        """A field of the spec as text; NULL where the spec is no JSON, of which on SQLite the whole statement would fail."""
        field = JobRow.spec[name].as_string()
        is_sqlite = self._connection.dialect.name == "sqlite"
        return case((func.json_valid(JobRow.spec) == 1, field)) if is_sqlite else field

    def _one(self, job_id: str, *, with_spec: bool, owner: str | None, lock: bool) -> RowMapping:
        if lock:
            # A statement of its own: one that has waited for the lock reads what is beside the row as it was before.
            self._connection.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update())
        query = job_rows.select_one(with_spec=with_spec, of_owner=owner is not None)
        row = self._connection.execute(query, {"job_id": job_id, "owner": owner}).mappings().one_or_none()
        if row is None:
            raise NotFound("job", job_id)
        return row

    def _page(
        self,
        query: Select[Any],
        values: dict[str, Any],
        *,
        owner: str,
        limit: int,
        after: str | None = None,
        before: str | None = None,
    ) -> Page[RowMapping]:
        values = {**values, "owner": owner, "num": limit + 1}
        for name, cursor in (("after", after), ("before", before)):
            if cursor is not None:
                values[f"{name}_at"], values[f"{name}_id"] = self._position(cursor, owner), cursor
        rows = self._connection.execute(query, values).mappings().all()
        return Page(items=rows[:limit] if before is None else rows[:limit][::-1], has_more=len(rows) > limit)

    def transitions(self, job_id: str) -> list[TransitionRecord | None]:
        """The history of the job's states, oldest first; None stands for a move that cannot be read."""
        try:
            with driver_errors_translated():
                rows = self._connection.execute(job_rows.TRANSITIONS, {"job_id": job_id}).mappings()
                return [job_rows.transition_record(row) for row in rows]
        except RowDamaged:
            ids = self._connection.execute(job_rows.TRANSITION_IDS, {"job_id": job_id}).scalars().all()
            return [self._transition(transition_id) for transition_id in ids]

    def _transition(self, transition_id: int) -> TransitionRecord | None:
        try:
            with driver_errors_translated():
                row = self._connection.execute(job_rows.TRANSITION, {"id": transition_id}).mappings().one()
                return job_rows.transition_record(row)
        except RowDamaged:
            return None

    def set_desired_state(self, job_id: str, desired: DesiredState | str) -> JobSummary:
        """What the job's holder is to do; it learns of it with its next heartbeat."""
        self._update(job_id, desired_state=DesiredState(desired).value)
        return self.summary(job_id)

    def record_progress(self, job_id: str, *, visit_index: int | None, step: int, num_steps: int) -> None:
        """Where the training stands; a job without tasks has no visits."""
        self._update(job_id, visit_index=visit_index, step=step, num_steps=num_steps)

    def note_progress_made(self, job_id: str) -> None:
        """Something durable was achieved (a resume point, a finished visit): the count of fruitless attempts starts anew."""
        self._update(job_id, attempts_since_progress=0)

    def set_weights(self, job_id: str, *, weights_sha256: str) -> None:
        """The hash of the method's final weights."""
        self._update(job_id, weights_sha256=weights_sha256)

    def set_priority(self, job_id: str, priority: int) -> None:
        """Jobs of a higher priority are claimed first."""
        self._update(job_id, priority=priority)

    def close_stream(self, job_id: str) -> None:
        """No task will be announced any more."""
        self._update(job_id, stream="closed")

    def counts_by_status(self) -> dict[str, int]:
        """How many jobs are in each state; every state is named."""
        query = select(JobRow.status, func.count().label("num_jobs")).group_by(JobRow.status)
        counted = {row.status: row.num_jobs for row in self._connection.execute(query)}
        return {status.value: counted.get(status.value, 0) for status in JobStatus}

    def _update(self, job_id: str, **changes: Any) -> None:
        result = self._connection.execute(update(JobRow).where(JobRow.id == job_id).values(**changes, **self._touched()))
        if result.rowcount == 0:
            raise NotFound("job", job_id)

    def _position(self, job_id: str, owner: str) -> datetime:
        query = select(JobRow.created_at).where(JobRow.id == job_id, JobRow.owner == owner)
        created_at = self._connection.execute(query).scalar_one_or_none()
        if created_at is None:
            raise InvalidCursor(f"cursor {job_id!r} is no job of this list; expected the id of a job")
        return created_at

    def _touched(self) -> dict[str, Any]:
        return {"version": JobRow.version + 1, "updated_at": self._now}
