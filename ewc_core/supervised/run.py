"""A whole job in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ewc_core.errors import SpecError
from ewc_core.events import Event, Visit
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised.train import SupervisedRun


def run(spec: SupervisedSpec, *, data_dir: Path | None = None, digests: Mapping[str, str] | None = None) -> Iterator[Event]:
    """Learn all tasks of a closed spec, one visit each, yielding events as `ewc_core.events` describes.

    `digests`, by name, are those of data that were read before, and must be read again.

    Raises:
        SpecError: the stream is open (nobody could announce its tasks), or a data set is unavailable.
        DataChanged: data are not those of `digests`.
        NonFiniteError: training diverged.
    """
    if spec.stream != "closed":
        raise SpecError(f"stream is {spec.stream!r}; a run from start to end needs 'closed'", field="stream")
    job = SupervisedRun(spec, data_dir=data_dir, digests=digests)
    for index, task in enumerate(spec.tasks):
        yield from job.learn(Visit(index=index, task_index=index, task=task))
