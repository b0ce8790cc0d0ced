"""Figure 4A: the score on each game against time, and when it was played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import colour, method_label, score_label
from ewc_client.figures.timeline import require_games, score_after, timeline_of
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (6.0, 7.0)


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One panel per task, one curve per method: the score after every visit, from before the first one on.

    Raises:
        FigureError: the job does not play games, or has not finished a visit.
    """
    _, job = require_games(jobs)
    matrix = job.matrix()
    timeline = timeline_of(job, matrix)
    curves = []
    marks: dict[str, list[float]] = {}
    for task, name in enumerate(matrix.task_names):
        panel = f"{task} {name}"
        played = [visit for visit, other in enumerate(timeline.tasks) if other == task]
        marks[panel] = [float(edge) for visit in played for edge in (timeline.starts[visit], timeline.ends[visit])]
        for kind, scores in matrix.methods.items():
            points = {timeline.ends[visit]: score_after(scores, visit, task) for visit in range(len(timeline.tasks))}
            known = {step: score for step, score in points.items() if score is not None}
            curves.append(Curve(panel, kind, method_label(kind, job.spec), list(known), list(known.values())))
    return Plot(curves, marks, score=score_label(job.spec, matrix), notes=[f"job {job.id}: {len(timeline.tasks)} visits"])


def draw(figure: Figure, plot: Plot) -> None:
    """Panels below each other over one time axis; grey where the task was played."""
    rows = figure.subplots(len(plot.panels), 1, sharex=True, sharey=True, squeeze=False)
    for axes, panel in zip(rows[:, 0], plot.panels, strict=True):
        edges = plot.marks[panel]
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            axes.axvspan(start, stop, color="0.88", linewidth=0)
        for curve in plot.panel(panel):
            axes.plot(curve.x, curve.y, ".-", color=colour(curve.name), label=curve.label, markersize=3, linewidth=1.0)
        axes.set_ylabel(panel, fontsize=6.5, rotation=0, ha="right", va="center")
    rows[0, 0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7)
    rows[-1, 0].set_xlabel("agent steps over all tasks")
    figure.supylabel(plot.score, fontsize=9.0)
