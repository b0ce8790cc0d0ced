"""Tasks of a job."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import RowMapping, bindparam, func, insert, select, update

from ewc_core.errors import NotFound
from ewc_core.specs import AnyTaskSpec
from store.ids import new_id
from store.records import TaskRecord
from store.repositories.repository import Repository
from store.tables import JobRow, TaskRow

_TASK_SPEC: TypeAdapter[AnyTaskSpec] = TypeAdapter(AnyTaskSpec)


class Tasks(Repository):
    """The learning problems of a job, numbered from 0 in the order in which they were announced."""

    def list(self, job_id: str) -> builtins.list[TaskRecord]:
        """All tasks of the job in the order of their index."""
        query = select(TaskRow).where(TaskRow.job_id == job_id).order_by(TaskRow.task_index)
        return [_record(row) for row in self._connection.execute(query).mappings()]

    def get(self, job_id: str, task_index: int) -> TaskRecord:
        """One task.

        Raises:
            NotFound: the job has no task with this index.
        """
        query = select(TaskRow).where(TaskRow.job_id == job_id, TaskRow.task_index == task_index)
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            raise _no_task(job_id, task_index)
        return _record(row)

    def add(self, job_id: str, spec: AnyTaskSpec) -> TaskRecord:
        """A further task with the next index. It is visited once a switch says so.

        Raises:
            NotFound: there is no such job.
        """
        # The job's row lock keeps two announcements from taking one index.
        job = self._connection.execute(select(JobRow.id).where(JobRow.id == job_id).with_for_update()).one_or_none()
        if job is None:
            raise NotFound("job", job_id)
        count = select(func.count()).select_from(TaskRow).where(TaskRow.job_id == job_id)
        task_index = self._connection.execute(count).scalar_one()
        self._connection.execute(
            insert(TaskRow).values(
                id=new_id("task"),
                job_id=job_id,
                task_index=task_index,
                name=spec.title,
                spec=spec.model_dump(mode="json"),
                status="pending",
                num_visits=0,
                num_examples_seen=0,
                created_at=self._now,
            )
        )
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

    def note_data(self, job_id: str, data: Mapping[int, Mapping[str, Any]]) -> builtins.list[int]:
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
        """SHA-256 by name of all data that the job's tasks were first read from."""
        return {digest["name"]: digest["sha256"] for data in self.noted_data(job_id).values() for digest in data["digests"]}

    def _update(self, job_id: str, task_index: int, **changes: Any) -> None:
        statement = update(TaskRow).where(TaskRow.job_id == job_id, TaskRow.task_index == task_index).values(**changes)
        if self._connection.execute(statement).rowcount == 0:
            raise _no_task(job_id, task_index)


def _no_task(job_id: str, task_index: int) -> NotFound:
    return NotFound("task", f"{job_id}/{task_index}")


def _record(row: RowMapping) -> TaskRecord:
    return TaskRecord(**{**row, "spec": _TASK_SPEC.validate_python(row["spec"])})
