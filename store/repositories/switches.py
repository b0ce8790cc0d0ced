"""Task switches: the announced order of visits, and the cuts that end a visit early."""

from __future__ import annotations

import builtins
from typing import Any

from sqlalchemy import Select, and_, func, insert, or_, select, update

from ewc_core.errors import NotFound, SequenceConflict, SpecError, StreamClosed
from store.ids import new_id
from store.job_states import FINISHED, JobStatus, allowed_from
from store.records import JobRecord, SwitchRecord
from store.repositories.repository import Repository
from store.tables import JobRow, SwitchRow
from store.tables.tasks import SWITCH_ACTIONS

_VISITING = ("append", "revisit")


class Switches(Repository):
    """Switches of a job, numbered 1, 2, 3 ... ; those that start a visit also number the visits 0, 1, 2 ..."""

    def append(
        self,
        job_id: str,
        *,
        action: str,
        task_index: int | None = None,
        origin: str,
        now: bool = False,
        expected_sequence: int | None = None,
    ) -> SwitchRecord:
        """Announce a switch.

        `append` and `revisit` name a task and get the next visit; `switch_now` and `close` have neither. `now` asks
        the running visit to end at once.

        Raises:
            NotFound: no such job, or no such task in it.
            SequenceConflict: `expected_sequence` is given and is not the next one.
            SpecError: an unknown action, or one with a task where none belongs, or without one where one does.
            StreamClosed: the job has finished, or its stream is closed to further tasks.
        """
        _require_fitting(action, task_index, now)
        job = self._work.jobs.get(job_id, lock=True)
        if expected_sequence is not None and expected_sequence != job.last_switch_sequence + 1:
            raise SequenceConflict(job_id, expected_sequence, job.last_switch_sequence + 1)
        if job.status in FINISHED or (job.stream == "closed" and action in _VISITING):
            raise StreamClosed(job_id, job.status.value, _still_allowed(job))
        return self._append(job_id, action=action, task_index=task_index, origin=origin, now=now)

    def append_from_spec(self, job_id: str, *, task_index: int) -> SwitchRecord:
        """The switch to a task that the job's own spec names, `revisit` for one that it has visited before; allowed on a
        closed stream."""
        known = any(visit.task_index == task_index for visit in self.visits(job_id))
        return self._append(job_id, action="revisit" if known else "append", task_index=task_index, origin="spec", now=False)

    def get(self, job_id: str, sequence: int) -> SwitchRecord:
        """One switch.

        Raises:
            NotFound: the job has no switch with this sequence number.
        """
        found = self._first(select(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.sequence == sequence))
        if found is None:
            raise NotFound("task switch", f"{job_id}/{sequence}")
        return found

    def list(self, job_id: str) -> builtins.list[SwitchRecord]:
        """All switches in the order of their sequence."""
        query = select(SwitchRow).where(SwitchRow.job_id == job_id).order_by(SwitchRow.sequence)
        return [SwitchRecord(**row) for row in self._connection.execute(query).mappings()]

    def visits(self, job_id: str) -> builtins.list[SwitchRecord]:
        """The switches that start visits, in the order of the visits."""
        return [SwitchRecord(**row) for row in self._connection.execute(_visits(job_id)).mappings()]

    def next_visit(self, job_id: str) -> SwitchRecord | None:
        """The first visit that is not done, or None when all are."""
        return self._first(_visits(job_id).where(SwitchRow.status != "done"))

    def cut_requested_after(self, job_id: str, *, sequence: int) -> SwitchRecord | None:
        """The first pending switch, announced after the visit with this sequence, that asks it to end at once."""
        asks = or_(SwitchRow.action == "switch_now", and_(SwitchRow.action.in_(_VISITING), SwitchRow.now.is_(True)))
        query = select(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.sequence > sequence, SwitchRow.status == "pending")
        return self._first(query.where(asks).order_by(SwitchRow.sequence))

    def mark_cut(self, job_id: str, *, visit_index: int, step: int, by_sequence: int) -> None:
        """The visit ends after `step` steps because switch `by_sequence` asked for it; that one will not cut again.

        Raises:
            NotFound: the job has no such visit, or no such switch.
        """
        self._update_visit(job_id, visit_index, cut_at_step=step)
        by = self.get(job_id, by_sequence)
        spent: dict[str, Any] = {"status": "done", "finished_at": self._now} if by.action == "switch_now" else {"now": False}
        self._connection.execute(update(SwitchRow).where(SwitchRow.id == by.id).values(**spent))

    def start_visit(self, job_id: str, visit_index: int) -> None:
        """The visit is being trained."""
        self._update_visit(job_id, visit_index, status="active")

    def finish_visit(self, job_id: str, visit_index: int, *, num_steps: int) -> None:
        """The visit has ended after `num_steps` steps."""
        self._update_visit(job_id, visit_index, status="done", num_steps=num_steps, finished_at=self._now)

    def _append(self, job_id: str, *, action: str, task_index: int | None, origin: str, now: bool) -> SwitchRecord:
        if task_index is not None:
            self._work.tasks.get(job_id, task_index)
        next_sequence = (
            update(JobRow)
            .where(JobRow.id == job_id)
            .values(last_switch_sequence=JobRow.last_switch_sequence + 1, version=JobRow.version + 1)
            .returning(JobRow.last_switch_sequence)
        )
        sequence = self._connection.execute(next_sequence).scalar_one()
        self._connection.execute(
            insert(SwitchRow).values(
                id=new_id("sw"),
                job_id=job_id,
                sequence=sequence,
                action=action,
                task_index=task_index,
                visit_index=self._num_visits(job_id) if action in _VISITING else None,
                origin=origin,
                now=now,
                status="done" if action == "close" else "pending",
                created_at=self._now,
                finished_at=self._now if action == "close" else None,
            )
        )
        return self.get(job_id, sequence)

    def _num_visits(self, job_id: str) -> int:
        count = select(func.count()).select_from(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.visit_index.is_not(None))
        return self._connection.execute(count).scalar_one()

    def _first(self, query: Select[Any]) -> SwitchRecord | None:
        row = self._connection.execute(query.limit(1)).mappings().one_or_none()
        return None if row is None else SwitchRecord(**row)

    def _update_visit(self, job_id: str, visit_index: int, **changes: Any) -> None:
        statement = update(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.visit_index == visit_index).values(**changes)
        if self._connection.execute(statement).rowcount == 0:
            raise NotFound("visit", f"{job_id}/{visit_index}")


def _visits(job_id: str) -> Select[Any]:
    return select(SwitchRow).where(SwitchRow.job_id == job_id, SwitchRow.visit_index.is_not(None)).order_by(SwitchRow.visit_index)


def _require_fitting(action: str, task_index: int | None, now: bool) -> None:
    if action not in SWITCH_ACTIONS:
        raise SpecError(f"action {action!r} is unknown; expected one of {', '.join(SWITCH_ACTIONS)}", field="action")
    if (task_index is not None) != (action in _VISITING):
        expected = "the index of a task" if action in _VISITING else "none"
        raise SpecError(f"action {action!r} has task_index {task_index}; expected {expected}", field="task_index")
    if now and action == "close":
        raise SpecError("now is true with action 'close'; closing a stream never ends the running visit", field="now")


def _still_allowed(job: JobRecord) -> list[str]:
    if job.status in FINISHED:
        return allowed_from(job.status)
    return ["switch_now", *allowed_from(JobStatus(job.status))]
