"""Following several jobs at once on standard error: one bar per job on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TimeElapsedColumn

from ewc_client.errors import JobCancelledError, JobFailedError
from ewc_client.job import Job
from ewc_client.terminal import Console, Text, TextColumn

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0
_PLAIN_SECONDS = 30.0


def wait_for_all(jobs: Mapping[str, Job], *, console: Console) -> dict[str, Job]:
    """Wait until all jobs have succeeded, and return them as they are then.

    Raises:
        JobFailedError, JobCancelledError: one of them ended otherwise; the others go on.
    """
    now = dict(jobs)
    pause = _FIRST_PAUSE_SECONDS
    with _reporting(console, now) as show:
        while True:
            show(now)
            _require_no_bad_end(now)
            if all(job.is_finished for job in now.values()):
                return now
            time.sleep(pause)
            pause = min(2.0 * pause, _LONGEST_PAUSE_SECONDS)
            now = {part: job if job.is_finished else job.refresh() for part, job in now.items()}


class _Lines:
    """A line for a job when its status or its visit changes, and every half minute in which it has come further."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, tuple[tuple[str, int | None], str, float]] = {}

    def __call__(self, jobs: Mapping[str, Job]) -> None:
        for part, job in jobs.items():
            place, now = (job.status, job.progress.visit_index), time.monotonic()
            known, told, at = self._said.get(part, (None, "", 0.0))
            line = f"{part}: {_place(job)}"
            if place != known or (line != told and now - at > _PLAIN_SECONDS):
                self._said[part] = (place, line, now)
                self._console.print(Text(line), soft_wrap=True)


@contextmanager
def _reporting(console: Console, jobs: Mapping[str, Job]) -> Iterator[_Lines | _Bars]:
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[place]}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bars(progress, jobs)
    else:
        yield _Lines(console)


class _Bars:
    """A bar per job."""

    def __init__(self, progress: Progress, jobs: Mapping[str, Job]) -> None:
        self._progress = progress
        self._bars = {part: progress.add_task(part, total=1.0, place="") for part in jobs}

    def __call__(self, jobs: Mapping[str, Job]) -> None:
        for part, job in jobs.items():
            self._progress.update(self._bars[part], completed=_share_done(job), place=_place(job))


def _require_no_bad_end(jobs: Mapping[str, Job]) -> None:
    for part, job in jobs.items():
        if job.status == "cancelled":
            raise JobCancelledError(job.id)
        if job.status == "failed":
            error = job.error or {}
            message = f"{error.get('message', 'no explanation')} (part {part!r})"
            raise JobFailedError(job.id, str(error.get("code", "unknown")), message)


def _share_done(job: Job) -> float:
    """Visits and the steps of the present one, as a share of all visits announced; of the steps in a job without visits."""
    if job.status == "succeeded":
        return 1.0
    progress = job.progress
    of_visit = (progress.step or 0) / progress.num_steps if progress.num_steps else 0.0
    if progress.visit_index is None or not progress.num_visits:
        return of_visit
    return (progress.visit_index + of_visit) / progress.num_visits


def _place(job: Job) -> str:
    progress = job.progress
    if job.status != "running" or progress.step is None:
        return f"{job.status} ({job.id})"
    steps = f"{progress.step} of {progress.num_steps} {'units' if progress.visit_index is None else 'steps'}"
    return steps if progress.visit_index is None else f"visit {progress.visit_index} of {progress.num_visits}, {steps}"
