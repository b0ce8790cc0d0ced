"""Running a job without tasks: its computation in units, between which orders are obeyed and resume points are made."""

from __future__ import annotations

import time
from collections.abc import Callable

from ewc_core.computation import Computation, CurvePoint
from ewc_core.resume import ResumePoint
from store.records import Fence, MetricPoint
from store.unit_of_work import Database, Work
from worker.recorder import Recorder
from worker.settings import WorkerSettings
from worker.stored_state import stored_point


class ComputationDriver:
    """Takes one computation from its resume point to its result, under one fence."""

    def __init__(self, database: Database, settings: WorkerSettings, fence: Fence, recorder: Recorder) -> None:
        self._database = database
        self._settings = settings
        self._fence = fence
        self._recorder = recorder

    def run(
        self,
        computation: Computation,
        *,
        obey: Callable[[str, Callable[[], None]], None],
        stop_asked: Callable[[], bool],
        stop: Callable[[Callable[[], None]], None],
        settle: Callable[[Work], object],
    ) -> None:
        """Compute what is left and write the result.

        `obey(desired state, save)` and `stop(save)` leave by an exception after calling `save` where a place must be
        kept; `settle` moves the job, in the transaction that writes its result.
        """
        self._restore(computation)
        last_point = time.monotonic()

        def save() -> None:
            self._save(computation)

        for _ in computation.run():
            if stop_asked():
                stop(save)
            if self._recorder.seconds_since_flush >= self._settings.flush_seconds:
                obey(self._recorder.flush_units(step=computation.step, num_steps=computation.num_steps), save)
            if time.monotonic() - last_point >= self._settings.resume_seconds:
                save()
                last_point = time.monotonic()
        result = computation.result()
        with self._database.fenced(self._fence) as work:
            work.metrics.put(self._fence.job_id, [_metric(point) for point in result.curves])
            work.results.put(self._fence.job_id, result.body)
            work.jobs.record_progress(
                self._fence.job_id, visit_index=None, step=computation.num_steps, num_steps=computation.num_steps
            )
            settle(work)

    def _restore(self, computation: Computation) -> None:
        with self._database.read() as work:
            saved = work.resume_points.get(self._fence.job_id)
        if saved is not None:
            point = stored_point(self._database, saved)
            computation.restore(point.step, point.tensors)

    def _save(self, computation: Computation) -> None:
        self._recorder.save_resume_point(ResumePoint(visit_index=0, step=computation.step, tensors=computation.capture()))


def _metric(point: CurvePoint) -> MetricPoint:
    return MetricPoint(method=point.method, name=point.name, visit_index=0, step=point.step, value=point.value)
