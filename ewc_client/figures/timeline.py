"""When a job played which task, in agent steps over all visits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from ewc_client.errors import FigureError
from ewc_client.job import Job
from ewc_client.models import Matrix, MethodScores


@dataclass(frozen=True)
class Timeline:
    """`ends[i]` is where visit i ended, `starts[i]` where it began; `tasks[i]` is the task that it was to."""

    tasks: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def steps_in(self, task: int, visit: int) -> int:
        """Steps played in a task up to the end of a visit."""
        return sum(self.ends[i] - self.starts[i] for i in range(visit + 1) if self.tasks[i] == task)


def timeline_of(job: Job, matrix: Matrix) -> Timeline:
    """The visits of a finished job.

    Raises:
        FigureError: the job has no finished visit.
    """
    lengths = {switch.visit_index: int(switch.raw["num_steps"]) for switch in job.task_switches() if switch.raw.get("num_steps")}
    visits = [visit for visit in sorted(matrix.visits) if visit in lengths]
    if not visits:
        raise FigureError(f"job {job.id} has no finished visit")
    ends = tuple(accumulate(lengths[visit] for visit in visits))
    return Timeline(tuple(matrix.visits[visit] for visit in visits), (0, *ends[:-1]), ends)


def score_after(scores: MethodScores, visit: int, task: int) -> float | None:
    """The score on a task after a visit, where it was measured."""
    row = scores.rows.get(visit, ())
    return row[task] if task < len(row) else None


def require_games(jobs: Mapping[str, Job]) -> tuple[str, Job]:
    """The one job of the figure.

    Raises:
        FigureError: it does not play games.
    """
    part, job = next(iter(jobs.items()))
    if job.kind != "reinforcement":
        raise FigureError(f"part {part!r}, job {job.id}: it is of kind {job.kind!r}; this figure needs a reinforcement job")
    return part, job
