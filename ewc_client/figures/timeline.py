"""When a job played which game, in agent steps over all visits, and how well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from ewc_client.errors import FigureError
from ewc_client.job import Job
from ewc_client.matrix import Matrix, MethodScores
from ewc_client.models import Body

_ORDER = ("independent", "oracle", "ewc", "l2", "shuffled_fisher", "naive")
"""From what should be best to what should be worst: so legends read like the curves."""


@dataclass(frozen=True)
class Timeline:
    """`ends[i]` is where visit i ended, `starts[i]` where it began; `tasks[i]` is the task that it was to."""

    tasks: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def visits_to(self, task: int) -> list[int]:
        """The visits to a task, in order."""
        return [visit for visit, other in enumerate(self.tasks) if other == task]

    def steps_before(self, visit: int) -> int:
        """Steps played in the visit's task before it."""
        return sum(self.ends[i] - self.starts[i] for i in range(visit) if self.tasks[i] == self.tasks[visit])


@dataclass(frozen=True)
class PlayedGames:
    """The one job of a figure of games: its scores, its visits, and its methods, best first."""

    job: Job
    matrix: Matrix
    timeline: Timeline

    @property
    def methods(self) -> list[MethodScores]:
        """Scores of the method and its controls, in the order of legends."""
        known = self.matrix.methods
        return [known[kind] for kind in sorted(known, key=lambda kind: (_ORDER.index(kind) if kind in _ORDER else 9, kind))]

    def panels(self) -> list[str]:
        """A name for every task; numbered where two have the same."""
        names = self.matrix.task_names
        return list(names) if len(set(names)) == len(names) else [f"{index}: {name}" for index, name in enumerate(names)]


def played_games(jobs: Mapping[str, Job]) -> PlayedGames:
    """The figure's job, with its scores and visits.

    Raises:
        FigureError: it does not play games, or has not finished all its visits.
    """
    part, job = next(iter(jobs.items()))
    if "task_inference" not in job.spec:
        raise FigureError(f"part {part!r}, job {job.id}: it is of kind {job.kind!r}; this figure needs a job that plays games")
    matrix = job.matrix()
    lengths = {switch.visit_index: int(switch.raw["num_steps"]) for switch in job.task_switches() if switch.raw.get("num_steps")}
    visits = sorted(matrix.visits)
    if not visits or any(visit not in lengths for visit in visits):
        raise FigureError(f"part {part!r}, job {job.id}: it has finished {len(lengths)} of {len(visits)} visits")
    ends = tuple(accumulate(lengths[visit] for visit in visits))
    return PlayedGames(job, matrix, Timeline(tuple(matrix.visits[visit] for visit in visits), (0, *ends[:-1]), ends))


def score_after(scores: MethodScores, visit: int, task: int) -> float | None:
    """The score on a task after a visit, where it was measured."""
    row = scores.rows.get(visit, ())
    return row[task] if task < len(row) else None


def evaluation_note(spec: Body) -> str:
    """On what the scores of an agent are taken."""
    evaluation = spec["evaluation"]
    return f"{evaluation['num_episodes']} episodes a test, exploration {evaluation['exploration_epsilons'][0]:g}"
