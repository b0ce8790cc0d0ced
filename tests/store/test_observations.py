"""Metrics and evaluations."""

from __future__ import annotations

import math

import pytest

from ewc_core.errors import NonFiniteError
from store.downsampling import keep_extremes
from store.records import MetricPoint


def loss(step: int, value: float, *, method: str = "ewc", name: str = "loss", visit_index: int = 0) -> MetricPoint:
    """One point."""
    return MetricPoint(method=method, name=name, visit_index=visit_index, step=step, value=value)


def test_a_batch_sent_twice_is_stored_once_and_the_later_value_counts(database, job):
    with database.write() as work:
        work.metrics.put(job.id, [loss(1, 0.5), loss(2, 0.25)])
        work.metrics.put(job.id, [loss(2, 0.125), loss(3, 0.0625)])
        work.metrics.put(job.id, [])
    with database.read() as work:
        assert work.metrics.series(job.id) == [loss(1, 0.5), loss(2, 0.125), loss(3, 0.0625)]


def test_series_are_ordered_and_can_be_chosen(database, job):
    points = [
        loss(1, 1.0, visit_index=1),
        loss(9, 2.0, visit_index=0),
        loss(1, 3.0, method="naive"),
        loss(1, 4.0, name="penalty"),
    ]
    with database.write() as work:
        work.metrics.put(job.id, points)
    with database.read() as work:
        assert work.metrics.series(job.id) == [points[1], points[0], points[2], points[3]]
        assert work.metrics.series(job.id, name="penalty") == [points[3]]
        assert work.metrics.series(job.id, name="loss", method="naive") == [points[2]]
        assert work.metrics.series("job_none") == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_no_number_is_refused_with_its_whole_batch(database, job, value):
    with database.write() as work:
        with pytest.raises(NonFiniteError, match="'loss' of ewc at visit 0, step 2"):
            work.metrics.put(job.id, [loss(1, 0.5), loss(2, value)])
        assert work.metrics.series(job.id) == []


def test_a_long_series_is_thinned_per_series(database, job):
    with database.write() as work:
        work.metrics.put(job.id, [loss(step, float(step), method=method) for step in range(100) for method in ("ewc", "naive")])
    with database.read() as work:
        thinned = work.metrics.series(job.id, max_points=10)
    for method in ("ewc", "naive"):
        own = [point.step for point in thinned if point.method == method]
        assert len(own) <= 10
        assert (own[0], own[-1]) == (0, 99)


def test_thinning_keeps_ends_order_and_every_lone_peak():
    values = [0.0] * 1000
    values[0], values[-1], values[321], values[777] = 5.0, 6.0, 9.0, -9.0
    points = [loss(step, value) for step, value in enumerate(values)]
    kept = keep_extremes(points, max_points=20)
    steps = [point.step for point in kept]
    assert len(kept) <= 20
    assert steps == sorted(steps)
    assert {0, 321, 777, 999} <= set(steps)


def test_a_short_series_is_kept_whole_and_too_few_points_are_refused():
    points = [loss(step, 1.0) for step in range(4)]
    assert keep_extremes(points, max_points=4) == points
    with pytest.raises(ValueError, match="max_points is 3"):
        keep_extremes(points, max_points=3)


def test_a_score_row_may_be_written_again(database, job):
    with database.write() as work:
        work.evaluations.put_row(job.id, method="ewc", after_visit=-1, scores={0: 0.1}, num_examples={0: 360})
        work.evaluations.put_row(job.id, method="ewc", after_visit=1, scores={1: 0.5, 0: 0.75}, num_examples={0: 360, 1: 360})
        work.evaluations.put_row(job.id, method="ewc", after_visit=1, scores={0: 0.75, 1: 0.625}, num_examples={0: 360, 1: 360})
        work.evaluations.put_row(job.id, method="naive", after_visit=1, scores={0: 0.25}, num_examples={0: 360})
    with database.read() as work:
        entries = [(one.method, one.after_visit, one.task_index, one.score) for one in work.evaluations.of_job(job.id)]
    assert entries == [("ewc", -1, 0, 0.1), ("ewc", 1, 0, 0.75), ("ewc", 1, 1, 0.625), ("naive", 1, 0, 0.25)]


def test_beside_a_score_stand_its_interval_and_its_chance_level_where_they_are_known(database, job):
    with database.write() as work:
        work.evaluations.put_row(
            job.id,
            method="ewc",
            after_visit=0,
            scores={0: 0.9, 1: 0.5, 2: 0.25},
            num_examples={0: 360, 1: 1, 2: 9},
            intervals={0: (0.875, 0.925), 1: None},
            chances={0: 0.1, 1: None},
        )
    with database.read() as work:
        entries = [(one.num_examples, one.interval, one.chance) for one in work.evaluations.of_job(job.id)]
    assert entries == [(360, (0.875, 0.925), 0.1), (1, None, None), (9, None, None)]


def test_a_score_that_is_no_number_is_refused(database, job):
    with database.write() as work, pytest.raises(NonFiniteError, match="ewc on task 1 after visit 0"):
        work.evaluations.put_row(job.id, method="ewc", after_visit=0, scores={1: math.nan}, num_examples={1: 1})
