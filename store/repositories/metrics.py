"""Metrics: series of numbers along the steps of a job."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import select

from ewc_core.errors import NonFiniteError
from store.downsampling import keep_extremes
from store.records import MetricPoint
from store.repositories.repository import Repository
from store.tables import MetricRow

_KEY = ("job_id", "method", "name", "visit_index", "step")


class Metrics(Repository):
    """Points of series; a series has one method and one name."""

    def put(self, job_id: str, points: Sequence[MetricPoint]) -> None:
        """Store points; one that is there already is replaced, so a batch may be sent again.

        Raises:
            NonFiniteError: a value is NaN or infinite; nothing of the batch is stored.
        """
        for point in points:
            if not math.isfinite(point.value):
                raise NonFiniteError(
                    f"metric {point.name!r} of {point.method} at visit {point.visit_index}, step {point.step} is {point.value}; "
                    "expected a finite number"
                )
        rows = [
            {
                "job_id": job_id,
                "method": point.method,
                "name": point.name,
                "visit_index": point.visit_index,
                "step": point.step,
                "value": float(point.value),
            }
            for point in points
        ]
        self._insert_or_replace(MetricRow, rows, key=_KEY)

    def series(
        self, job_id: str, *, name: str | None = None, method: str | None = None, max_points: int = 2000
    ) -> list[MetricPoint]:
        """Points by name, method, visit and step; at most `max_points` of each series, its extremes among them."""
        query = select(MetricRow.method, MetricRow.name, MetricRow.visit_index, MetricRow.step, MetricRow.value)
        query = query.where(MetricRow.job_id == job_id)
        if name is not None:
            query = query.where(MetricRow.name == name)
        if method is not None:
            query = query.where(MetricRow.method == method)
        query = query.order_by(MetricRow.name, MetricRow.method, MetricRow.visit_index, MetricRow.step)
        points = [MetricPoint(**row) for row in self._connection.execute(query).mappings()]
        kept: list[MetricPoint] = []
        for _, series in groupby(points, key=lambda point: (point.name, point.method)):
            kept.extend(keep_extremes(list(series), max_points=max_points))
        return kept
