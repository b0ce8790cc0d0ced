"""Tasks of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from ewc_core.errors import InvalidCursor, NotFound, RowDamaged
from ewc_core.specs import AnyTaskSpec
from store.ids import new_id
from store.records import Page, TaskRecord
from store.repositories.repository import Repository
from store.tables import JobRow, TaskRow

_COLUMNS: list[Any] = [
    TaskRow.spec.label("stored_spec") if field.name == "stored_spec" else getattr(TaskRow, field.name)
    for field in fields(TaskRecord)
]

_INSERT = insert(TaskRow)
_LIST = select(*_COLUMNS).where(TaskRow.job_id == bindparam("job")).order_by(TaskRow.task_index)
_FIRST_PAGE = _LIST.limit(bindparam("num"))


class Tasks(Repository):
    """The learning problems of a job, numbered from 0 in the order in which they were announced."""

    def of_job(self, job_id: str) -> list[TaskRecord]:
        """All tasks of the job in the order of their index."""
        return [TaskRecord(**row) for row in self._connection.execute(_LIST, {"job": job_id}).mappings()]

    def page(self, job_id: str, *, limit: int, after: str | None = None) -> Page[TaskRecord]:
        """Tasks in the order of their index; `after` is the id of the last one seen.

        Raises:
            InvalidCursor: `after` is no task of this job.
        """
        query = _FIRST_PAGE
        if after is not None:
            last_seen = select(TaskRow.task_index).where(TaskRow.job_id == job_id, TaskRow.id == after)
            index = self._connection.execute(last_seen).scalar_one_or_none()
            if index is None:
                raise InvalidCursor(f"cursor {after!r} is no task of job {job_id}; expected the id of one")
            query = query.where(TaskRow.task_index > index)
        rows = self._connection.execute(query, {"job": job_id, "num": limit + 1}).mappings().all()
        return Page(items=[TaskRecord(**row) for row in rows[:limit]], has_more=len(rows) > limit)

    def num(self, job_id: str) -> int:
        """How many tasks the job has; they are numbered without a gap, and never deleted."""
        last = select(func.coalesce(func.max(TaskRow.task_index) + 1, 0)).where(TaskRow.job_id == job_id)
        return self._connection.execute(last).scalar_one()

    def get(self, job_id: str, task_index: int) -> TaskRecord:
        """One task.

        Raises:
            NotFound: the job has no task with this index.
        """
        query = select(*_COLUMNS).where(TaskRow.job_id == job_id, TaskRow.task_index == task_index)
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            raise _no_task(job_id, task_index)
        return TaskRecord(**row)

    def add_first(self, job_id: str, specs: Sequence[AnyTaskSpec]) -> None:
        """The tasks that the spec of a new job names, in one statement."""
        rows = [_new_row(job_id, task_index, spec, self._now) for task_index, spec in enumerate(specs)]
        if rows:
            self._connection.execute(_INSERT, rows)

    def add(self, job_id: str, spec: AnyTaskSpec) -> TaskRecord:
        """A further task with the next index. It is visited once a switch says so.

        Raises:
            NotFound: there is no such job.
        """
        # The job's row lock keeps two announcements from taking one index.
        job = self._connection.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update()).one_or_none()
        if job is None:
            raise NotFound("job", job_id)
        task_index = self.num(job_id)
        self._connection.execute(_INSERT, _new_row(job_id, task_index, spec, self._now))
        return self.get(job_id, task_index)

    def set_status(self, job_id: str, task_index: int, status: str) -> None:
        """pending, training, estimating_fisher, evaluating, completed or failed."""
        self._update(job_id, task_index, status=status)

    def note_visit_done(self, job_id: str, task_index: int, *, num_examples_seen: int, checkpoint_id: str | None) -> None:
        """A visit to the task has ended: `num_examples_seen` in it are added to the task's count.

        The task is `completed` and refers to its newest checkpoint; without one it keeps the one it has.
        """
        changes: dict[str, Any] = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
        self._update(
            job_id,
            task_index,
            status="completed",
            num_visits=TaskRow.num_visits + 1,
            num_examples_seen=TaskRow.num_examples_seen + num_examples_seen,
            completed_at=self._now,
            **changes,
        )

    def note_data(self, job_id: str, data: Mapping[int, Mapping[str, Any]]) -> list[int]:
        """Keep, by task index, what is known of data that were loaded; what was noted first stays. The tasks that had nothing."""
        query = select(TaskRow.task_index).where(TaskRow.job_id == job_id, TaskRow.data.is_(None), TaskRow.task_index.in_(data))
        found = sorted(self._connection.execute(query).scalars())
        if found:
            statement = update(TaskRow).where(TaskRow.job_id == job_id, TaskRow.task_index == bindparam("of_task"))
            rows = [{"of_task": index, "its_data": dict(data[index])} for index in found]
            self._connection.execute(statement.values(data=bindparam("its_data")), rows)
        return found

    def noted_data(self, job_id: str) -> dict[int, Mapping[str, Any]]:
        """By task index, what is known of data that were loaded."""
        query = select(TaskRow.task_index, TaskRow.data).where(TaskRow.job_id == job_id, TaskRow.data.is_not(None))
        return {row.task_index: row.data for row in self._connection.execute(query)}

    def digests(self, job_id: str) -> dict[str, str]:
        """SHA-256 by name of all data that the job's tasks were first read from.

        Raises:
            RowDamaged: what was noted is of another shape.
        """
        return stored_digests(self.noted_data(job_id).values())

    def _update(self, job_id: str, task_index: int, **changes: Any) -> None:
        statement = update(TaskRow).where(TaskRow.job_id == job_id, TaskRow.task_index == task_index).values(**changes)
        if self._connection.execute(statement).rowcount == 0:
            raise _no_task(job_id, task_index)


def stored_digests(noted: Iterable[Any]) -> dict[str, str]:
    """SHA-256 by name in what was noted of tasks' data; of two with one name the later.

    Raises:
        RowDamaged: it is of another shape.
    """
    try:
        return {str(digest["name"]): str(digest["sha256"]) for data in noted for digest in data["digests"]}
    except (KeyError, TypeError) as error:
        raise RowDamaged("what was noted of a task's data is of another shape than was stored") from error


def _new_row(job_id: str, task_index: int, spec: AnyTaskSpec, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id("task"),
        "job_id": job_id,
        "task_index": task_index,
        "name": spec.title,
        "spec": spec.model_dump(mode="json"),
        "status": "pending",
        "num_visits": 0,
        "num_examples_seen": 0,
        "created_at": now,
    }


def _no_task(job_id: str, task_index: int) -> NotFound:
    return NotFound("task", f"{job_id}/{task_index}")
