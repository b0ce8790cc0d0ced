"""Constraints of a job: at most one per task."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from store.records import ConstraintRecord
from store.repositories.repository import Repository
from store.tables import ConstraintRow


class Constraints(Repository):
    """Which tasks hold the network, how strongly, and the checkpoints that hold their Fishers and anchors."""

    def put(
        self, job_id: str, *, task_index: int, visit_index: int, checkpoint_id: str, ewc_lambda: float, info: Mapping[str, Any]
    ) -> ConstraintRecord:
        """Store the constraint of a task in place of the one that the task has, if any."""
        row: dict[str, Any] = {
            "job_id": job_id,
            "task_index": task_index,
            "visit_index": visit_index,
            "checkpoint_id": checkpoint_id,
            "ewc_lambda": ewc_lambda,
            "info": dict(info),
        }
        self._insert_or_replace(ConstraintRow, [row], key=("job_id", "task_index"))
        return ConstraintRecord(**row)

    def list(self, job_id: str) -> builtins.list[ConstraintRecord]:
        """The constraints in the order of their tasks."""
        query = select(ConstraintRow).where(ConstraintRow.job_id == job_id).order_by(ConstraintRow.task_index)
        return [ConstraintRecord(**row) for row in self._connection.execute(query).mappings()]
