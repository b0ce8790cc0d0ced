"""Figure 4B: the sum over all games of the normalised score, each at most 1, against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import colour, method_label
from ewc_client.figures.timeline import require_games, score_after, timeline_of
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (5.6, 4.2)


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One curve per method. The largest possible total is the number of tasks.

    Raises:
        FigureError: the job does not play games, not all of them have reference scores, or not all are evaluated.
    """
    part, job = require_games(jobs)
    matrix = job.matrix()
    if matrix.metric != "normalised":
        raise FigureError(
            f"part {part!r}, job {job.id}: its scores are of metric {matrix.metric!r}; a total needs reference scores of every "
            "game: give each task a 'reference' with the returns of random play and of the reference player"
        )
    timeline = timeline_of(job, matrix)
    curves = []
    for kind, scores in matrix.methods.items():
        totals = []
        for visit in range(len(timeline.tasks)):
            row = [score_after(scores, visit, task) for task in range(len(matrix.task_names))]
            known = [score for score in row if score is not None]
            if len(known) != len(row):
                raise FigureError(f"part {part!r}, job {job.id}: a total needs evaluation.tasks 'all'")
            totals.append(sum(min(score, 1.0) for score in known))
        curves.append(Curve("total", kind, method_label(kind, job.spec), list(timeline.ends), totals))
    marks = {"num_tasks": [float(len(matrix.task_names))], "visit_starts": [float(start) for start in timeline.starts]}
    return Plot(curves, marks, score="total of normalised scores, each at most 1", notes=[f"job {job.id}"])


def draw(figure: Figure, plot: Plot) -> None:
    """One panel; a dashed line at the number of tasks."""
    axes = figure.subplots()
    for curve in plot.curves:
        axes.plot(curve.x, curve.y, "o-", color=colour(curve.name), label=curve.label, markersize=3)
    axes.axhline(plot.marks["num_tasks"][0], color="black", linestyle="--", linewidth=0.8)
    axes.set(xlabel="agent steps over all tasks", ylabel=plot.score)
    axes.legend(loc="best")
