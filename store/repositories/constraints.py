"""Constraints of a job: at most one per task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select, update

from ewc_core.errors import NotFound
from store.records import ConstraintRecord
from store.repositories.repository import Repository
from store.tables import ConstraintRow

_LIST = (
    select(*ConstraintRow.__table__.columns).where(ConstraintRow.job_id == bindparam("job")).order_by(ConstraintRow.task_index)
)


class Constraints(Repository):
    """Which tasks hold the network, how strongly, and the checkpoints that hold their Fishers and anchors."""

    def put(
        self, job_id: str, *, task_index: int, visit_index: int, checkpoint_id: str, ewc_lambda: float, info: Mapping[str, Any]
    ) -> ConstraintRecord:
        """Store the constraint of a task in place of the one that the task has, if any; its weight is 1 again."""
        row: dict[str, Any] = {
            "job_id": job_id,
            "task_index": task_index,
            "visit_index": visit_index,
            "checkpoint_id": checkpoint_id,
            "ewc_lambda": ewc_lambda,
            "weight": 1.0,
            "info": dict(info),
        }
        self._insert_or_replace(ConstraintRow, [row], key=("job_id", "task_index"))
        return ConstraintRecord(**row)

    def set_weight(self, job_id: str, *, task_index: int, weight: float) -> ConstraintRecord:
        """Let the constraint of a task count `weight` times from the next visit on; 0 forgets the task.

        Raises:
            NotFound: the job has no constraint of this task.
        """
        where = (ConstraintRow.job_id == job_id, ConstraintRow.task_index == task_index)
        if self._connection.execute(update(ConstraintRow).where(*where).values(weight=weight)).rowcount == 0:
            raise NotFound("constraint", f"{job_id}/{task_index}")
        row = self._connection.execute(select(ConstraintRow).where(*where)).mappings().one()
        return ConstraintRecord(**row)

    def find(self, job_id: str, task_index: int) -> ConstraintRecord | None:
        """The constraint of a task, or None while it has none."""
        query = select(ConstraintRow).where(ConstraintRow.job_id == job_id, ConstraintRow.task_index == task_index)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else ConstraintRecord(**row)

    def of_job(self, job_id: str) -> list[ConstraintRecord]:
        """The constraints in the order of their tasks."""
        return [ConstraintRecord(**row) for row in self._connection.execute(_LIST, {"job": job_id}).mappings()]
