"""Sweeps and their trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Select, func, insert, literal, select, tuple_, update
from sqlalchemy.orm import aliased

from ewc_core.errors import InvalidCursor, NotFound
from ewc_core.specs import Scalar, SweepSpec
from store.base import UtcTime
from store.ids import new_id
from store.job_states import JobStatus
from store.records import Page
from store.repositories.repository import Repository
from store.repositories.tasks import stored_digests
from store.sweep_records import SweepRecord, SweepSummary, TrialRecord
from store.tables import JobRow, SweepRow, TaskRow, TrialRow
from store.tables.sweeps import TRIAL_STATUSES


class Sweeps(Repository):
    """A sweep is running until nothing is left to try and its last trial has ended, or until it is cancelled; and again while the
    job of a failed trial is retried."""

    def create(self, spec: SweepSpec, *, owner: str, request_id: str | None = None) -> SweepRecord:
        """A new running sweep without trials."""
        sweep_id = new_id("sweep")
        self._connection.execute(
            insert(SweepRow).values(
                id=sweep_id,
                owner=owner,
                name=spec.name,
                spec=spec.model_dump(mode="json"),
                status="running",
                request_id=request_id,
                version=1,
                created_at=self._now,
                updated_at=self._now,
            )
        )
        return self.get(sweep_id)

    def get(self, sweep_id: str, *, owner: str | None = None, lock: bool = False) -> SweepRecord:
        """One sweep; with `lock` nobody else can change it or its trials until this transaction ends.

        Raises:
            NotFound: there is no such sweep, or it belongs to another owner.
        """
        query = select(*_columns_of(SweepRecord)).where(SweepRow.id == sweep_id)
        if owner is not None:
            query = query.where(SweepRow.owner == owner)
        if lock:
            query = query.with_for_update()
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFound("sweep", sweep_id)
        return SweepRecord(**row)

    def page(self, *, owner: str, limit: int, after: str | None = None, before: str | None = None) -> Page[SweepSummary]:
        """Newest first. `after` the id of a sweep: older ones; `before`: the newer ones next to it.

        Raises:
            InvalidCursor: a cursor that is no sweep of this owner.
        """
        query = self._of_owner(select(*_columns_of(SweepSummary)), owner, after=after, before=before).limit(limit + 1)
        rows = self._connection.execute(query).mappings().all()
        items = [SweepSummary(**row) for row in rows[:limit]]
        return Page(items=items if before is None else items[::-1], has_more=len(rows) > limit)

    def ids(self, *, owner: str, after: str | None = None, before: str | None = None) -> list[str]:
        """As `list` without a limit, and nothing of the rows is read but their ids."""
        query = self._of_owner(select(SweepRow.id), owner, after=after, before=before)
        ids = list(self._connection.execute(query).scalars())
        return ids if before is None else ids[::-1]

    def running(self) -> list[str]:
        """Ids of the sweeps that are not over, oldest first."""
        query = select(SweepRow.id).where(SweepRow.status == "running").order_by(SweepRow.created_at, SweepRow.id)
        return list(self._connection.execute(query).scalars())

    def trials(self, sweep_id: str) -> list[TrialRecord]:
        """All trials by number."""
        query = select(TrialRow).where(TrialRow.sweep_id == sweep_id).order_by(TrialRow.number)
        return [TrialRecord(**row) for row in self._connection.execute(query).mappings()]

    def num_trials(self, sweep_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each of these sweeps, how many trials are in each status; every status is named."""
        query = select(TrialRow.sweep_id, TrialRow.status, func.count().label("num")).where(TrialRow.sweep_id.in_(sweep_ids))
        counts = {sweep_id: dict.fromkeys(TRIAL_STATUSES, 0) for sweep_id in sweep_ids}
        for row in self._connection.execute(query.group_by(TrialRow.sweep_id, TrialRow.status)):
            counts[row.sweep_id][row.status] = row.num
        return counts

    def statuses_of_running_trials(self, sweep_id: str) -> dict[int, JobStatus]:
        """By trial number: the status of the jobs whose trials are not settled."""
        query = select(TrialRow.number, JobRow.status).join(JobRow, JobRow.id == TrialRow.job_id)
        query = query.where(TrialRow.sweep_id == sweep_id, TrialRow.status == "running")
        return {row.number: JobStatus(row.status) for row in self._connection.execute(query)}

    def digests(self, job_id: str) -> dict[str, str]:
        """SHA-256 by name of all data that the trials of the job's sweep have read, as the earliest trial read them; nothing for
        a job that is no trial.

        Raises:
            RowDamaged: what was noted is of another shape.
        """
        own = aliased(TrialRow)
        query = select(TaskRow.data).join(TrialRow, TrialRow.job_id == TaskRow.job_id)
        query = query.join(own, own.sweep_id == TrialRow.sweep_id).where(own.job_id == job_id, TaskRow.data.is_not(None))
        rows = self._connection.execute(query.order_by(TrialRow.number.desc())).scalars()
        return stored_digests(rows)

    def add_trial(self, sweep_id: str, *, number: int, job_id: str, parameters: Mapping[str, Scalar]) -> None:
        """A setting is being tried, as this job."""
        row = {"sweep_id": sweep_id, "number": number, "job_id": job_id, "parameters": dict(parameters), "status": "running"}
        self._touch(sweep_id)
        self._connection.execute(insert(TrialRow).values(**row, created_at=self._now))

    def settle_trial(self, sweep_id: str, number: int, *, score: float | None) -> None:
        """The trial's job has ended; without a score the trial has failed.

        Raises:
            NotFound: the sweep has no such trial that is still running.
        """
        self._touch(sweep_id)
        changes = {"status": "failed" if score is None else "completed", "score": score, "finished_at": self._now}
        where = (TrialRow.sweep_id == sweep_id, TrialRow.number == number, TrialRow.status == "running")
        if self._connection.execute(update(TrialRow).where(*where).values(**changes)).rowcount == 0:
            raise NotFound("running trial", f"{sweep_id}/{number}")

    def take_up_again(self, job_id: str) -> None:
        """The job of a failed trial is about to be retried: the trial runs again, and so does its sweep, if that ended by itself.
        A cancelled sweep stays as it is, and a job of no sweep changes nothing.

        Whoever locks a sweep and its jobs locks the sweep first, so this comes before the job is moved. The version changes also
        where the trial is not settled yet: who has seen the job's failure, and is about to settle it, looks again.
        """
        query = select(TrialRow.sweep_id).where(TrialRow.job_id == job_id, TrialRow.status != "completed")
        sweep_id = self._connection.execute(query).scalar_one_or_none()
        if sweep_id is None or self.get(sweep_id, lock=True).status == "cancelled":
            return
        again = update(TrialRow).where(TrialRow.job_id == job_id).values(status="running", finished_at=None)
        self._connection.execute(again)
        self._touch(sweep_id, status="running", error=None, finished_at=None)

    def finish(self, sweep_id: str, status: str, *, error: Mapping[str, Any] | None = None) -> SweepRecord:
        """The sweep is over: succeeded, failed (then `error` says why) or cancelled."""
        self._touch(sweep_id, status=status, error=None if error is None else dict(error), finished_at=self._now)
        return self.get(sweep_id)

    def _of_owner(self, query: Select[Any], owner: str, *, after: str | None, before: str | None) -> Select[Any]:
        position = tuple_(SweepRow.created_at, SweepRow.id)
        query = query.where(SweepRow.owner == owner)
        if after is not None:
            query = query.where(position < self._position(after, owner))
        if before is not None:
            query = query.where(position > self._position(before, owner))
            return query.order_by(SweepRow.created_at, SweepRow.id)
        return query.order_by(SweepRow.created_at.desc(), SweepRow.id.desc())

    def _touch(self, sweep_id: str, **changes: Any) -> None:
        changed = update(SweepRow).where(SweepRow.id == sweep_id)
        changed = changed.values(**changes, version=SweepRow.version + 1, updated_at=self._now)
        if self._connection.execute(changed).rowcount == 0:
            raise NotFound("sweep", sweep_id)

    def _position(self, sweep_id: str, owner: str) -> Any:
        query = select(SweepRow.created_at, SweepRow.id).where(SweepRow.id == sweep_id, SweepRow.owner == owner)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise InvalidCursor(f"cursor {sweep_id!r} is no sweep of this list; expected the id of a sweep")
        return tuple_(literal(row.created_at, UtcTime()), row.id)


def _columns_of(record: type[SweepSummary]) -> list[Any]:
    inside = {"num_planned": SweepRow.spec["num_trials"].as_integer(), "stored_spec": SweepRow.spec}
    names = [field.name for field in fields(record)]
    return [inside[name].label(name) if name in inside else getattr(SweepRow, name) for name in names]
