"""Figure 4B: the sum over all games of the normalised score, each at most 1, against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import agent_note, colour, method_label
from ewc_client.figures.timeline import evaluation_note, played_games, score_after
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (5.8, 4.4)


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One curve per method. The largest possible total is the number of tasks; a score below 0 counts as it is.

    Raises:
        FigureError: the job does not play games, not all of them have reference scores, or not all are evaluated.
    """
    played = played_games(jobs)
    job, matrix, timeline = played.job, played.matrix, played.timeline
    if matrix.metric != "normalised":
        raise FigureError(
            f"job {job.id}: its scores are of metric {matrix.metric!r}; a total needs reference scores of every game: "
            "give each task a 'reference' with the returns of random play and of the reference player"
        )
    curves = []
    for scores in played.methods:
        totals = []
        for visit in range(len(timeline.tasks)):
            row = [score_after(scores, visit, task) for task in range(len(matrix.task_names))]
            known = [score for score in row if score is not None]
            if len(known) != len(row):
                raise FigureError(f"job {job.id}: a total needs evaluation.tasks 'all'")
            totals.append(sum(min(score, 1.0) for score in known))
        curves.append(Curve("total", scores.kind, method_label(scores.kind, job.spec), list(timeline.ends), totals))
    marks = {"num_tasks": [float(len(matrix.task_names))], "visit_starts": [float(start) for start in timeline.starts]}
    notes = [agent_note(job.spec), evaluation_note(job.spec)]
    return Plot(curves, marks, score="total of normalised scores, each at most 1", notes=notes)


def draw(figure: Figure, plot: Plot) -> None:
    """One panel; dashed at the number of tasks, dotted where another game began."""
    axes = figure.subplots()
    most = plot.marks["num_tasks"][0]
    for start in plot.marks["visit_starts"][1:]:
        axes.axvline(start, color="0.85", linestyle=":", linewidth=0.8)
    axes.axhline(most, color="0.4", linestyle="--", linewidth=0.9, label=f"largest possible: {most:g}")
    for curve in plot.curves:
        axes.plot(curve.x, curve.y, "o-", color=colour(curve.name), label=curve.label, markersize=3)
    axes.set(xlabel="agent steps over all games (dotted: another game begins)", ylabel=plot.score)
    axes.set_xlim(left=0.0)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7.5)
