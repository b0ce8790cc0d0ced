"""Routes of training curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from api.metrics.schemas import Metrics, MetricValue, Series
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep
from store.records import MetricPoint

router = APIRouter(prefix="/v1/jobs/{job_id}/metrics", tags=["metrics"], route_class=AuthenticatedRoute)


@router.get("", operation_id="get_metrics")
def get(
    job_id: str,
    caller: Reader,
    services: ServicesDep,
    name: Annotated[str | None, Query(description="only this curve, for example `loss`")] = None,
    method: Annotated[str | None, Query(description="only this method, for example `ewc` or a control")] = None,
    max_points: Annotated[int, Query(ge=4, le=10_000, description="points per curve")] = 2000,
) -> Metrics:
    """Training curves of the job's method and its controls."""
    with services.database.read() as work:
        work.jobs.require(job_id, owner=caller.owner)
        points = work.metrics.series(job_id, name=name, method=method, max_points=max_points)
    return Metrics(job_id=job_id, series=_series(points))


def _series(points: Sequence[MetricPoint]) -> list[Series]:
    curves: dict[tuple[str, str], list[MetricValue]] = {}
    for point in points:
        value = MetricValue(visit_index=point.visit_index, step=point.step, value=point.value)
        curves.setdefault((point.method, point.name), []).append(value)
    return [Series(method=method, name=name, points=values) for (method, name), values in sorted(curves.items())]
