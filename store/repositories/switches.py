"""Task switches: the announced order of visits, and the cuts that end a visit early."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, bindparam, insert, or_, select, update

from ewc_core.errors import InvalidCursor, NotFound
from store.ids import new_id
from store.records import Page, SwitchRecord
from store.repositories.repository import Repository
from store.tables import SwitchRow

VISITING = ("append", "revisit")
"""The actions that start a visit."""

_INSERT = insert(SwitchRow)
_VISITED: Select[Any] = (
    select(SwitchRow.task_index)
    .where(SwitchRow.job_id == bindparam("job"), SwitchRow.visit_index.is_not(None))
    .order_by(SwitchRow.visit_index)
)
_VISITED_AND_DONE = _VISITED.where(SwitchRow.status == "done")


class Switches(Repository):
    """Switches of a job, numbered 1, 2, 3 ... ; those that start a visit also number the visits 0, 1, 2 ..."""

    def add_planned(self, job_id: str, task_indices: Sequence[int]) -> None:
        """The visits that the spec of a new job plans, in one statement: `revisit` for a task that was visited before."""
        first_visits = {task: visit for visit, task in reversed(list(enumerate(task_indices)))}
        rows = [
            {
                "id": new_id("sw"),
                "job_id": job_id,
                "sequence": visit + 1,
                "action": "append" if first_visits[task] == visit else "revisit",
                "task_index": task,
                "visit_index": visit,
                "origin": "spec",
                "now": False,
                "status": "pending",
                "created_at": self._now,
            }
            for visit, task in enumerate(task_indices)
        ]
        if rows:
            self._connection.execute(_INSERT, rows)

    def get(self, job_id: str, sequence: int) -> SwitchRecord:
        """One switch.

        Raises:
            NotFound: the job has no switch with this sequence number.
        """
        found = self._first(select(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.sequence == sequence))
        if found is None:
            raise NotFound("task switch", f"{job_id}/{sequence}")
        return found

    def page(self, job_id: str, *, limit: int, after: str | None = None) -> Page[SwitchRecord]:
        """Switches in the order of their sequence; `after` is the id of the last one seen.

        Raises:
            InvalidCursor: `after` is no switch of this job.
        """
        query = select(SwitchRow).where(SwitchRow.job_id == job_id).order_by(SwitchRow.sequence).limit(limit + 1)
        if after is not None:
            last_seen = select(SwitchRow.sequence).where(SwitchRow.job_id == job_id, SwitchRow.id == after)
            sequence = self._connection.execute(last_seen).scalar_one_or_none()
            if sequence is None:
                raise InvalidCursor(f"cursor {after!r} is no task switch of job {job_id}; expected the id of one")
            query = query.where(SwitchRow.sequence > sequence)
        rows = self._connection.execute(query).mappings().all()
        return Page(items=[SwitchRecord(**row) for row in rows[:limit]], has_more=len(rows) > limit)

    def visits(self, job_id: str) -> list[SwitchRecord]:
        """The switches that start visits, in the order of the visits."""
        return [SwitchRecord(**row) for row in self._connection.execute(_visits(job_id)).mappings()]

    def tasks_visited(self, job_id: str, *, num_visits: int) -> list[int]:
        """Task indices of the first `num_visits` visits, in their order."""
        visits = _VISITED.where(SwitchRow.visit_index < num_visits)
        return list(self._connection.execute(visits, {"job": job_id}).scalars())

    def tasks_of_done_visits(self, job_id: str) -> list[int]:
        """Task indices of the visits that are done, in their order."""
        return list(self._connection.execute(_VISITED_AND_DONE, {"job": job_id}).scalars())

    def find_visit(self, job_id: str, visit_index: int) -> SwitchRecord | None:
        """The switch that starts a visit, or None while the job has no such visit."""
        return self._first(_visits(job_id).where(SwitchRow.visit_index == visit_index))

    def next_visit(self, job_id: str) -> SwitchRecord | None:
        """The first visit that is not done, or None when all are."""
        return self._first(_visits(job_id).where(SwitchRow.status != "done"))

    def visits_around_now(self, job_id: str) -> tuple[bool, bool]:
        """Whether a visit is in progress (it may be paused), and whether another visit is announced after it."""
        query = select(SwitchRow.status).where(SwitchRow.job_id == job_id, SwitchRow.visit_index.is_not(None)).distinct()
        statuses = set(self._connection.execute(query).scalars())
        return "active" in statuses, "pending" in statuses

    def is_cut_requested(self, job_id: str, *, visit_index: int) -> bool:
        """Whether a pending switch, announced after this visit, asks it to end at once."""
        return self._first(_cuts(job_id, visit_index)) is not None

    def cuts_requested(self, job_id: str, *, visit_index: int) -> list[SwitchRecord]:
        """The switches of `is_cut_requested`, in the order of their sequence."""
        return [SwitchRecord(**row) for row in self._connection.execute(_cuts(job_id, visit_index)).mappings()]

    def mark_cut(self, job_id: str, *, visit_index: int, step: int, by: Sequence[SwitchRecord]) -> None:
        """The visit ends after `step` steps because these switches, all that ask for it, did; none of them will cut again.

        Raises:
            NotFound: the job has no such visit.
        """
        self._update_visit(job_id, visit_index, cut_at_step=step)
        between = SwitchRow.sequence.between(by[0].sequence, by[-1].sequence)
        asked = update(SwitchRow).where(SwitchRow.job_id == job_id, between)
        spent = {"status": "done", "finished_at": self._now}
        self._connection.execute(asked.where(SwitchRow.action == "switch_now", SwitchRow.status == "pending").values(**spent))
        self._connection.execute(asked.where(SwitchRow.action.in_(VISITING), SwitchRow.now.is_(True)).values(now=False))

    def start_visit(self, job_id: str, visit_index: int) -> None:
        """The visit is being trained."""
        self._update_visit(job_id, visit_index, status="active")

    def finish_visit(self, job_id: str, visit_index: int, *, num_steps: int) -> None:
        """The visit has ended after `num_steps` steps."""
        self._update_visit(job_id, visit_index, status="done", num_steps=num_steps, finished_at=self._now)

    def _first(self, query: Select[Any]) -> SwitchRecord | None:
        row = self._connection.execute(query.limit(1)).mappings().one_or_none()
        return None if row is None else SwitchRecord(**row)

    def _update_visit(self, job_id: str, visit_index: int, **changes: Any) -> None:
        statement = update(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.visit_index == visit_index).values(**changes)
        if self._connection.execute(statement).rowcount == 0:
            raise NotFound("visit", f"{job_id}/{visit_index}")


def _visits(job_id: str) -> Select[Any]:
    return select(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.visit_index.is_not(None)).order_by(SwitchRow.visit_index)


def _cuts(job_id: str, visit_index: int) -> Select[Any]:
    announced = select(SwitchRow.sequence).where(SwitchRow.job_id == job_id, SwitchRow.visit_index == visit_index)
    asks = or_(SwitchRow.action == "switch_now", and_(SwitchRow.action.in_(VISITING), SwitchRow.now.is_(True)))
    query = select(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.status == "pending", asks)
    return query.where(SwitchRow.sequence > announced.scalar_subquery()).order_by(SwitchRow.sequence)
