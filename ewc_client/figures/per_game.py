"""Figure S3: the score on each game against the steps played in that game."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import colour, method_label, score_label
from ewc_client.figures.timeline import require_games, score_after, timeline_of
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (7.0, 5.0)
_NUM_COLUMNS = 4


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One panel per task, one curve per method: the score at the end of each visit to the task.

    Raises:
        FigureError: the job does not play games, or has not finished a visit.
    """
    _, job = require_games(jobs)
    matrix = job.matrix()
    timeline = timeline_of(job, matrix)
    curves = []
    for task, name in enumerate(matrix.task_names):
        visits = [visit for visit, other in enumerate(timeline.tasks) if other == task]
        for kind, scores in matrix.methods.items():
            points = {timeline.steps_in(task, visit): score_after(scores, visit, task) for visit in visits}
            known = {step: score for step, score in points.items() if score is not None}
            curves.append(Curve(f"{task} {name}", kind, method_label(kind, job.spec), list(known), list(known.values())))
    return Plot(curves, score=score_label(job.spec, matrix), notes=[f"job {job.id}"])


def draw(figure: Figure, plot: Plot) -> None:
    """A grid of panels with common axes."""
    num_rows = math.ceil(len(plot.panels) / _NUM_COLUMNS)
    grid = figure.subplots(num_rows, min(_NUM_COLUMNS, len(plot.panels)), sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(plot.panels) :]:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, plot.panels, strict=False):
        for curve in plot.panel(panel):
            axes.plot(curve.x, curve.y, "o-", color=colour(curve.name), label=curve.label, markersize=3, linewidth=1.0)
        axes.set_title(panel, fontsize=7)
    grid.flat[0].legend(loc="best", fontsize=6)
    for axes in grid[-1]:
        axes.set_xlabel("steps in this task", fontsize=7)
    figure.supylabel(plot.score, fontsize=9.0)
