"""Figure 4A: when which game was played, and the score on each of them against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import MEAN_RETURN, agent_note, colour, method_label, score_label
from ewc_client.figures.timeline import evaluation_note, played_games, score_after
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (6.6, 7.4)


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One panel per task, one curve per method: the score after every visit. Marks of a panel are where its task was
    played, beginnings and ends in turn.

    Raises:
        FigureError: the job does not play games, or has not finished its visits.
    """
    played = played_games(jobs)
    timeline = played.timeline
    curves = []
    marks: dict[str, list[float]] = {}
    for task, panel in enumerate(played.panels()):
        visits = timeline.visits_to(task)
        marks[panel] = [float(edge) for visit in visits for edge in (timeline.starts[visit], timeline.ends[visit])]
        for scores in played.methods:
            points = {timeline.ends[visit]: score_after(scores, visit, task) for visit in range(len(timeline.tasks))}
            known = {step: score for step, score in points.items() if score is not None}
            label = method_label(scores.kind, played.job.spec)
            curves.append(Curve(panel, scores.kind, label, list(known), list(known.values())))
    notes = [agent_note(played.job.spec), evaluation_note(played.job.spec)]
    return Plot(curves, marks, score=score_label(played.job.spec, played.matrix), notes=notes)


def draw(figure: Figure, plot: Plot) -> None:
    """Panels below each other over one time axis; grey where the panel's task was played. Returns have an axis per game."""
    is_comparable = plot.score != MEAN_RETURN
    rows = figure.subplots(len(plot.panels), 1, sharex=True, sharey=is_comparable, squeeze=False)
    end = max(edge for edges in plot.marks.values() for edge in edges)
    for axes, panel in zip(rows[:, 0], plot.panels, strict=True):
        edges = plot.marks[panel]
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            axes.axvspan(start, stop, color="0.85", linewidth=0)
        for curve in plot.panel(panel):
            axes.plot(curve.x, curve.y, ".-", color=colour(curve.name), label=curve.label, markersize=4, linewidth=1.1)
        axes.set_ylabel(panel, fontsize=7.5, rotation=0, ha="right", va="center")
        axes.tick_params(labelsize=7)
        axes.set_xlim(0.0, end * 1.01)
    rows[0, 0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7.5)
    rows[-1, 0].set_xlabel("agent steps over all games (grey: this game is being played)")
    figure.supylabel(plot.score, fontsize=9.0)
