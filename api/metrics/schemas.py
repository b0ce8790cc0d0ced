"""The body of training curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from api.schemas import Resource


class MetricValue(Resource):
    """One point: `step` counts within the visit."""

    visit_index: int
    step: int
    value: float


class Series(Resource):
    """One curve. With `max_points`, a long one is thinned; its first and last points stay."""

    method: str
    name: str
    points: Sequence[MetricValue]


class Metrics(Resource):
    """The curves of a job, ordered by method and name."""

    object: Literal["metrics"] = "metrics"
    job_id: str
    series: Sequence[Series]
