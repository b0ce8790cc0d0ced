"""A figure from its recipe: jobs, answers, curves, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ewc_client.client import EWCClient
from ewc_client.errors import FigureError
from ewc_client.figures import (
    accuracy_curves,
    games_over_time,
    mean_accuracy,
    noise_on_weights,
    overlap_by_depth,
    per_game,
    random_patterns,
    total_score,
)
from ewc_client.figures.curves import Curve
from ewc_client.figures.files import Drawing, origin_of, write_figure
from ewc_client.figures.follow import wait_for_all
from ewc_client.figures.parts import obtain_answer, obtain_jobs
from ewc_client.figures.recipe import Recipe
from ewc_client.job import Job
from ewc_client.terminal import Console

_DRAWINGS: Mapping[str, Drawing] = {
    "2": random_patterns,
    "3a": accuracy_curves,
    "3b": mean_accuracy,
    "3c": overlap_by_depth,
    "4a": games_over_time,
    "4b": total_score,
    "4c": noise_on_weights,
    "s3": per_game,
}


@dataclass(frozen=True)
class MadeFigure:
    """What has been written, the curves in it, and the ids of the jobs behind it."""

    paths: list[Path]
    curves: list[Curve]
    jobs: dict[str, str]


def make_figure(
    client: EWCClient,
    recipe: Recipe,
    given: Mapping[str, str],
    *,
    directory: Path,
    console: Console,
    say: Callable[[str], None],
) -> MadeFigure:
    """Obtain all jobs at once, wait for them, ask the recipe's question about each, and write the files.

    Raises:
        FigureError: matplotlib is not there, a job is not what its part needs, or the files cannot be written.
        JobFailedError, JobCancelledError: a job ended without success.
    """
    if find_spec("matplotlib") is None:  # said before hours of training, not after
        raise FigureError("figures are drawn with matplotlib, which is not installed: pip install matplotlib")
    jobs = obtain_jobs(client, recipe, given)
    for part, job in jobs.items():
        say(f"{part}: job {job.id}, {job.status}")
    jobs = wait_for_all(jobs, console=console)
    answers: dict[str, Job] = {}
    if recipe.question is not None:
        for part, job in jobs.items():
            answers[part] = obtain_answer(client, job, recipe.question, name=f"{recipe.stem}: {part}")
            say(f"{part}: {recipe.question['kind']} analysis {answers[part].id}, {answers[part].status}")
        answers = wait_for_all(answers, console=console)
    for part, job in jobs.items():
        for warning in job.warnings:
            say(f"warning: {part}: {warning.message} ({warning.code})")
    drawing = _DRAWINGS[recipe.figure]
    plot = drawing.collect(jobs, answers)
    origin = origin_of(recipe, jobs, answers, plot, service=client.version())
    paths = write_figure(directory, recipe, plot, drawing, origin)
    return MadeFigure(paths, list(plot.curves), {part: job.id for part, job in jobs.items()})
