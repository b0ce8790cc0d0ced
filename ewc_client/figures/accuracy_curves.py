"""Figure 3A: the score on each task against training steps, one panel per task and one curve per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import colour, method_label, score_label, training_note
from ewc_client.job import Job
from ewc_client.matrix import Matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (6.0, 5.6)
_ALL_POINTS = 10_000


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One panel per task, one curve per job. x counts steps over all visits; a panel begins just before the task's first
    visit, with what the network can do without having seen the task.

    Raises:
        FigureError: the jobs differ in their visits, two of them train the same method, or one has no curves.
    """
    matrices = {part: job.matrix() for part, job in jobs.items()}
    lengths = {part: _visit_lengths(job) for part, job in jobs.items()}
    _require_comparable(jobs, matrices, lengths)
    first = next(iter(jobs))
    starts = [0, *accumulate(lengths[first])]
    curves = [
        _curve(job, matrices[part], task, starts, part=part, panel=panel)
        for task, panel in enumerate(_panels(matrices[first].task_names))
        for part, job in jobs.items()
    ]
    notes = [training_note(part, job.spec) for part, job in jobs.items()]
    return Plot(curves, {"visit_starts": starts}, score=score_label(jobs[first].spec, matrices[first]), notes=notes)


def draw(figure: Figure, plot: Plot) -> None:
    """Panels below each other over one time axis, the beginnings of visits marked."""
    rows = figure.subplots(len(plot.panels), 1, sharex=True, sharey=True, squeeze=False)
    starts = plot.marks["visit_starts"]
    for axes, panel in zip(rows[:, 0], plot.panels, strict=True):
        for curve in plot.panel(panel):
            axes.plot(curve.x, curve.y, color=colour(curve.name), label=curve.label)
        for start in starts[1:-1]:
            axes.axvline(start, color="0.6", linewidth=0.8, linestyle="--")
        axes.set(ylabel=panel, xlim=(starts[0], starts[-1]))
    top = rows[0, 0]
    rows[-1, 0].legend(loc="center left")  # where the last task has not begun yet
    for visit, (start, stop) in enumerate(pairwise(starts)):
        place = ((start + stop) / 2, 1.02)
        top.annotate(f"visit {visit}", place, xycoords=("data", "axes fraction"), ha="center", fontsize=7)
    rows[-1, 0].set_xlabel("training steps")
    figure.supylabel(plot.score, fontsize=9.0)


def _panels(names: Sequence[str]) -> list[str]:
    return list(names) if len(set(names)) == len(names) else [f"task {index}" for index in range(len(names))]


def _visit_lengths(job: Job) -> list[int]:
    visits = {switch.visit_index: switch.raw["num_steps"] for switch in job.task_switches() if switch.visit_index is not None}
    return [int(visits[index]) for index in sorted(visits)]


def _require_comparable(jobs: Mapping[str, Job], matrices: Mapping[str, Matrix], lengths: Mapping[str, list[int]]) -> None:
    first = next(iter(jobs))
    for part, job in jobs.items():
        if matrices[part].visits != matrices[first].visits or lengths[part] != lengths[first]:
            raise FigureError(
                f"part {part!r}, job {job.id}: its visits are to tasks {list(matrices[part].visits.values())} and "
                f"{lengths[part]} steps long; those of part {first!r} are to tasks {list(matrices[first].visits.values())} "
                f"and {lengths[first]} steps long. One time axis needs the same visits"
            )
    methods = [str(job.spec["method"]["kind"]) for job in jobs.values()]
    if len(set(methods)) != len(methods):
        raise FigureError(f"parts {list(jobs)} train {methods}; curves need methods that differ")


def _curve(job: Job, matrix: Matrix, task: int, starts: list[int], *, part: str, panel: str) -> Curve:
    """Scores between the ends of visits from the series, at the ends of visits from the matrix."""
    method = str(job.spec["method"]["kind"])
    logged = job.metrics(name=f"score.task_{task}", method=method, max_points=_ALL_POINTS)
    if not logged:
        raise FigureError(
            f"part {part!r}, job {job.id}: it has no curve score.task_{task}; the spec must ask for one with "
            "training.evaluate_every, at most the steps of a visit"
        )
    points = {starts[point.visit_index] + point.step: point.value for point in logged}
    first_visit = min(visit for visit, index in matrix.visits.items() if index == task)
    for visit, scores in matrix.methods[method].rows.items():
        score = scores[task]
        if visit >= first_visit - 1 and score is not None:
            points[starts[visit + 1]] = score
    steps = sorted(points)
    return Curve(panel, method, method_label(method, job.spec), steps, [points[step] for step in steps])
