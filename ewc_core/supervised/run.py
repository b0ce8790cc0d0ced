"""Supervised jobs: a whole one in one call, and one that the record holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ewc_core.events import Event
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised.problem import SupervisedProblem
from ewc_core.training.stored import StoredJob
from ewc_core.training.visits import VisitRun, learn_all


def run(spec: SupervisedSpec, *, data_dir: Path | None = None, digests: Mapping[str, str] | None = None) -> Iterator[Event]:
    """Learn all tasks of a closed spec, one visit each, yielding events as `ewc_core.events` describes.

    `digests`, by name, are those of data that were read before, and must be read again.

    Raises:
        SpecError: the stream is open (nobody could announce its tasks), or a data set is unavailable.
        DataChanged: data are not those of `digests`.
        NonFiniteError: training diverged.
    """
    yield from learn_all(spec, lambda: VisitRun(SupervisedProblem(spec, data_dir=data_dir, digests=digests)))


def take_up(spec: SupervisedSpec, stored: StoredJob) -> VisitRun:
    """The run of a job as its record has it; see `ewc_core.training.take_up`."""
    point = stored.point
    if point is None:
        # What goes on was let in before, under the limits of then.
        return VisitRun(
            SupervisedProblem(spec, data_dir=stored.data_dir, digests=stored.digests, store=stored, limits=stored.limits)
        )
    digests = {**point.digests, **stored.digests}
    problem = SupervisedProblem(spec, data_dir=stored.data_dir, digests=digests, constraints=stored.constraints, store=stored)
    return VisitRun.restore(problem, point, tasks=stored.tasks, visiting=stored.visiting)
