"""Evaluations: the score matrices of a job's methods."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

from sqlalchemy import bindparam, select

from ewc_core.errors import NonFiniteError
from store.records import EvaluationRecord
from store.repositories.repository import Repository
from store.tables import EvaluationRow

_LIST = (
    select(*(getattr(EvaluationRow, field.name) for field in fields(EvaluationRecord)))
    .where(EvaluationRow.job_id == bindparam("job"))
    .order_by(EvaluationRow.method, EvaluationRow.after_visit, EvaluationRow.task_index)
)


class Evaluations(Repository):
    """Scores of a method on a task after a visit (-1: the untrained network); `ewc_core.metrics.SCORES` says what they are."""

    def put_row(
        self,
        job_id: str,
        *,
        method: str,
        after_visit: int,
        scores: Mapping[int, float],
        num_examples: Mapping[int, int],
        metrics: Mapping[int, str] | None = None,
        intervals: Mapping[int, tuple[float, float] | None] | None = None,
        chances: Mapping[int, float | None] | None = None,
    ) -> None:
        """Store one row of a score matrix, by task index; writing it again replaces it. An undefined score has no entry;
        `metrics` says what the scores are, `intervals` and `chances` how sure and how good, as far as the caller knows.

        Raises:
            NonFiniteError: a score is NaN or infinite.
        """
        for task_index, score in scores.items():
            if not math.isfinite(score):
                raise NonFiniteError(
                    f"the score of {method} on task {task_index} after visit {after_visit} is {score}; expected a finite number"
                )
        ends = {task: ends for task, ends in (intervals or {}).items() if ends is not None}
        rows = [
            {
                "job_id": job_id,
                "method": method,
                "after_visit": after_visit,
                "task_index": task_index,
                "score": float(score),
                "num_examples": num_examples[task_index],
                "metric": (metrics or {}).get(task_index),
                "interval_low": ends[task_index][0] if task_index in ends else None,
                "interval_high": ends[task_index][1] if task_index in ends else None,
                "chance": (chances or {}).get(task_index),
                "at": self._now,
            }
            for task_index, score in sorted(scores.items())
        ]
        self._insert_or_replace(EvaluationRow, rows, key=("job_id", "method", "after_visit", "task_index"))

    def of_job(self, job_id: str) -> list[EvaluationRecord]:
        """All entries, by method, then visit, then task."""
        return [EvaluationRecord(**row) for row in self._connection.execute(_LIST, {"job": job_id}).mappings()]

    def scores_after(self, job_ids: Sequence[str], *, method: str, after_visit: int) -> dict[str, dict[int, float]]:
        """For each of these jobs, the method's scores after this visit, by task index."""
        query = select(EvaluationRow.job_id, EvaluationRow.task_index, EvaluationRow.score).where(
            EvaluationRow.job_id.in_(job_ids), EvaluationRow.method == method, EvaluationRow.after_visit == after_visit
        )
        scores: dict[str, dict[int, float]] = {job_id: {} for job_id in job_ids}
        for row in self._connection.execute(query):
            scores[row.job_id][row.task_index] = row.score
        return scores
