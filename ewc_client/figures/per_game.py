"""Figure S3: the returns while a game was learned, against the steps played in that game."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import agent_note, colour, method_label
from ewc_client.figures.timeline import Timeline, played_games
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (9.4, 4.6)
METHODS = ("independent", "ewc", "naive")
_NUM_COLUMNS = 4
_POINTS_PER_VISIT = 15
_ALL_POINTS = 10_000


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One panel per task; a curve for EWC, for no penalty, and for one network per task: the mean return of the training
    episodes that ended in each of 15 equal parts of a visit. Marks of a panel are where the game was left.

    Raises:
        FigureError: the job does not play games, has not finished its visits, or has no such curves.
    """
    played = played_games(jobs)
    timeline, spec = played.timeline, played.job.spec
    kinds = [scores.kind for scores in played.methods if scores.kind in METHODS]
    curves = []
    marks: dict[str, list[float]] = {}
    for kind in kinds:
        by_visit: dict[int, list[tuple[int, float]]] = {}
        for point in played.job.metrics(name="return", method=kind, max_points=_ALL_POINTS):
            by_visit.setdefault(point.visit_index, []).append((point.step, point.value))
        for task, panel in enumerate(played.panels()):
            points = [point for visit in timeline.visits_to(task) for point in _binned(by_visit.get(visit, ()), timeline, visit)]
            curves.append(Curve(panel, kind, method_label(kind, spec), [x for x, _ in points], [y for _, y in points]))
    if not any(len(curve.x) for curve in curves):
        raise FigureError(f"job {played.job.id} has no returns of training episodes of any of {list(METHODS)}")
    for task, panel in enumerate(played.panels()):
        visits = timeline.visits_to(task)
        marks[panel] = [float(timeline.steps_before(visit)) for visit in visits[1:]]
    notes = [agent_note(spec), "dotted: other games were played in between"]
    return Plot(curves, marks, score="mean return of training episodes", notes=notes)


def draw(figure: Figure, plot: Plot) -> None:
    """A grid of panels over a common axis of steps, each with returns of its own size; the legend stands in a place without
    panel, where there is one."""
    num_panels = len(plot.panels)
    columns = min(_NUM_COLUMNS, num_panels)
    grid = figure.subplots(math.ceil(num_panels / columns), columns, sharex=True, squeeze=False)
    for axes in grid.flat[num_panels:]:
        axes.set_axis_off()
    for number, (axes, panel) in enumerate(zip(grid.flat, plot.panels, strict=False)):
        for start in plot.marks[panel]:
            axes.axvline(start, color="0.6", linestyle=":", linewidth=0.9)
        for curve in plot.panel(panel):
            axes.plot(curve.x, curve.y, "-", color=colour(curve.name), label=curve.label, linewidth=1.1)
        axes.set_title(panel, fontsize=8)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=3)
        if number + columns >= num_panels:  # nothing stands below it
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("steps in this game", fontsize=8)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    if num_panels < grid.size:
        grid.flat[num_panels].legend(handles, labels, loc="center left")
    else:
        figure.legend(handles, labels, loc="outside right center")
    figure.supylabel(plot.score, fontsize=9.0)


def _binned(points: Sequence[tuple[int, float]], timeline: Timeline, visit: int) -> list[tuple[float, float]]:
    """Means over equal parts of a visit, at their middles, in steps of the game."""
    length, before = timeline.ends[visit] - timeline.starts[visit], timeline.steps_before(visit)
    width = length / _POINTS_PER_VISIT
    bins: dict[int, list[float]] = {}
    for step, value in points:
        bins.setdefault(min(int((step - 1) / width), _POINTS_PER_VISIT - 1), []).append(value)
    return [(before + (number + 0.5) * width, sum(bins[number]) / len(bins[number])) for number in sorted(bins)]
