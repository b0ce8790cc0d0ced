"""Figure 3B: the mean score over all tasks seen against the number of tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ewc_client.errors import FigureError
from ewc_client.figures.curves import Curve, Plot
from ewc_client.figures.labels import colour, method_label, score_label, training_note
from ewc_client.job import Job
from ewc_client.matrix import Matrix, MethodScores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS, CONTROLS, SINGLE = "method", "control", "single_task"
SIZE = (5.2, 4.2)


def collect(jobs: Mapping[str, Job], answers: Mapping[str, Job]) -> Plot:
    """One curve per job, and one for each control that a job trained beside its method.

    "single_task" is R[0, 0] of the job "ewc": its first task just after it was learned, when no constraint is there yet.

    Raises:
        FigureError: a job does not visit its tasks one after the other, or two curves are of the same method.
    """
    matrices = {part: job.matrix() for part, job in jobs.items()}
    curves: list[Curve] = []
    for part, job in jobs.items():
        _require_one_visit_each(part, job, matrices[part])
        for scores in matrices[part].methods.values():
            if scores.role == METHODS and any(curve.name == scores.kind for curve in curves):
                raise FigureError(f"part {part!r}, job {job.id}: there is a curve of method {scores.kind!r} already")
            if not any(curve.name == scores.kind for curve in curves):
                curves.append(_mean_curve(job, scores))
    curves.append(_single_task(matrices["ewc"], jobs["ewc"]))
    notes = [training_note(part, job.spec) for part, job in jobs.items()]
    return Plot(curves, score=score_label(jobs["ewc"].spec, matrices["ewc"]), notes=notes)


def draw(figure: Figure, plot: Plot) -> None:
    """One panel: methods as thick lines with markers, controls as thin ones, the single-task level dashed."""
    axes = figure.subplots()
    for curve in plot.curves:
        if curve.panel == METHODS:
            axes.plot(curve.x, curve.y, "o-", color=colour(curve.name), label=curve.label, markersize=4)
        elif curve.panel == CONTROLS:
            axes.plot(curve.x, curve.y, "-", color=colour(curve.name), label=curve.label, linewidth=0.7)
        else:
            axes.plot(curve.x, curve.y, "--", color="black", label=curve.label, linewidth=0.9)
    axes.set(xlabel="number of tasks", ylabel=f"mean {plot.score} over the tasks seen")
    axes.locator_params(axis="x", integer=True)
    axes.legend(loc="best")


def _require_one_visit_each(part: str, job: Job, matrix: Matrix) -> None:
    visits = [matrix.visits[index] for index in sorted(matrix.visits)]
    if visits != list(range(len(matrix.task_names))):
        raise FigureError(f"part {part!r}, job {job.id}: its visits are to tasks {visits}; this figure needs each task once")


def _mean_curve(job: Job, scores: MethodScores) -> Curve:
    means = dict(_means(scores))
    label = method_label(scores.kind, job.spec) + (" (control)" if scores.role == CONTROLS else "")
    return Curve(scores.role, scores.kind, label, list(means), list(means.values()))


def _means(scores: MethodScores) -> Iterator[tuple[int, float]]:
    """Number of tasks seen, and the mean over them, after each visit."""
    for visit in sorted(scores.rows):
        seen = [score for score in scores.rows[visit][: visit + 1] if score is not None]
        if visit >= 0:
            yield visit + 1, sum(seen) / len(seen)


def _single_task(matrix: Matrix, job: Job) -> Curve:
    score = matrix.methods[str(job.spec["method"]["kind"])].rows[0][0]
    if score is None:
        raise FigureError(f"part 'ewc', job {job.id}: it has no score of its first task after visit 0")
    label = f"a single task: the first of {method_label(str(job.spec['method']['kind']), job.spec)}, before any constraint"
    ends = [1, len(matrix.task_names)]
    return Curve(SINGLE, SINGLE, label, ends, [score, score])
