"""Figure 3C: Fisher overlap of two tasks against depth, for tasks that differ in a small and in a large square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import training_note
from ewc_client.job import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (5.4, 4.2)
OVERLAP, SHUFFLED = "overlap", "shuffled"
_SERIES = {
    OVERLAP: "",
    SHUFFLED: "chance: the second Fisher shuffled",
    "ceiling_first": "ceiling: two halves of one task's examples",
    "ceiling_second": "ceiling: two halves of one task's examples",
}
_COLOURS = ("0.6", "black")


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One panel per job: overlap, chance and ceilings by depth; the first layer has depth 1."""
    curves = []
    for part, answer in answers.items():
        points = answer.metrics(name="fisher_overlap")
        title = jobs[part].matrix().task_names[int(answer.spec["question"]["second_task"])]
        for series, what in _SERIES.items():
            found = sorted((point.step + 1, point.value) for point in points if point.method == series)
            label = what or title
            curves.append(Curve(part, series, label, [depth for depth, _ in found], [value for _, value in found]))
    return Plot(curves, notes=[training_note(part, job.spec) for part, job in jobs.items()])


def draw(figure: Figure, plot: Plot) -> None:
    """One panel: overlap as thick lines, chance dashed, ceilings dotted, in one colour per job."""
    axes = figure.subplots()
    explained: set[str] = set()
    for panel, shade in zip(plot.panels, _COLOURS, strict=True):
        for curve in plot.panel(panel):
            label = None if curve.label in explained else curve.label
            explained.add(curve.label)
            if curve.name == OVERLAP:
                axes.plot(curve.x, curve.y, "o-", color=shade, label=label, markersize=4)
            else:
                line = "--" if curve.name == SHUFFLED else ":"
                axes.plot(curve.x, curve.y, line, color=shade, label=label, linewidth=0.9)
    axes.set(xlabel="depth of the layer", ylabel="Fisher overlap", ylim=(0.0, 1.05))
    axes.locator_params(axis="x", integer=True)
    axes.legend(loc="lower right")
