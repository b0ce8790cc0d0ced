"""From stored evaluations to the score matrix."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from api.evaluations.schemas import Matrix, MatrixRow, MatrixTask, MatrixVisit, MethodMatrix, Summary
from api.jobs.kinds import require_learning
from ewc_core.metrics import SCORES, ScoreMatrix, ScoreName
from ewc_core.specs import LikelihoodName
from store.records import ConstraintRecord, EvaluationRecord, JobRecord, TaskRecord
from store.unit_of_work import Work

Cells = Mapping[tuple[int, int], EvaluationRecord]
"""What was measured, by (after_visit, task_index)."""


def matrix_body(work: Work, job: JobRecord) -> Matrix:
    """The matrices of the job's method and its controls, as far as they are known.

    Raises:
        WrongJobKind: the job has no tasks to score.
    """
    require_learning(job, "a score matrix")
    spec = job.learning
    # Evaluations first: a visit that finishes between the two reads is then a row without scores, never a score without a row.
    cells_of: dict[str, dict[tuple[int, int], EvaluationRecord]] = {kind: {} for kind in spec.methods}
    evaluations = work.evaluations.of_job(job.id)
    for entry in evaluations:
        cells_of.setdefault(entry.method, {})[entry.after_visit, entry.task_index] = entry
    visited = work.switches.tasks_of_done_visits(job.id)
    known = work.tasks.of_job(job.id)
    metrics = metrics_of(known, work.constraints.of_job(job.id), evaluations)
    tasks = [
        MatrixTask(index=task.task_index, name=task.name, metric=metrics[task.task_index], has_ratios=_has_ratios(task, metrics))
        for task in known
    ]
    metric = _common(list(metrics.values()))
    with_ratios = [task.index for task in tasks if task.has_ratios]
    less_is_better = [task.index for task in tasks if SCORES[task.metric].better == "lower"]
    methods: dict[str, MethodMatrix] = {}
    for kind in spec.methods:
        cells = cells_of[kind]
        scores = {place: cell.score for place, cell in cells.items()}
        score_matrix = ScoreMatrix(
            scores, visited, with_ratios=with_ratios, less_is_better=less_is_better, are_alike=metric is not None
        )
        methods[kind] = MethodMatrix(
            role="method" if kind == spec.method.kind else "control",
            rows=_rows(cells, len(visited), len(tasks)),
            summary=_summary(score_matrix, len(tasks)),
            clipped_total=_clipped_total(scores, len(visited), len(tasks)) if metric == "normalised" else None,
        )
    numbered = [MatrixVisit(index=index, task_index=task) for index, task in enumerate(visited)]
    return Matrix(job_id=job.id, metric=metric, tasks=tasks, visits=numbered, methods=methods)


def metrics_of(
    tasks: Sequence[TaskRecord], constraints: Sequence[ConstraintRecord], evaluations: Sequence[EvaluationRecord]
) -> dict[int, ScoreName]:
    """What the scores are, by task index. Games: returns, normalised where the game has reference scores. Data: what was
    written with the scores, the same for all tasks of a job; of scores that do not say it, R² where a task's data set or a
    constraint says that its targets are real numbers, else accuracy.
    """
    recorded = {evaluation.metric for evaluation in evaluations}
    likelihoods = {constraint.info.get("likelihood") for constraint in constraints}
    likelihoods |= {getattr(getattr(task.spec, "dataset", None), "likelihood", None) for task in tasks}
    of_data: ScoreName = "r2" if "r2" in recorded or LikelihoodName.GAUSSIAN in likelihoods else "accuracy"
    return {task.task_index: task.spec.score_name or of_data for task in tasks}


def _common(metrics: Sequence[ScoreName]) -> ScoreName | None:
    return metrics[0] if len(set(metrics)) == 1 else None


def _has_ratios(task: TaskRecord, metrics: Mapping[int, ScoreName]) -> bool:
    ratios = SCORES[metrics[task.task_index]].ratios
    if ratios == "where never negative":
        return task.spec.is_never_negative
    return ratios == "always"


def matrix_csv(matrix: Matrix) -> str:
    r"""One line per method and row: method, role, after_visit, visited task, then one column per task; empty where unknown.

    Lines end with \n, as in every CSV of this project: tools that read line by line take \r for a part of the last value.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "role", "after_visit", "visited_task", *(f"task_{task.index}" for task in matrix.tasks)])
    visited = {visit.index: visit.task_index for visit in matrix.visits}
    for kind, method in matrix.methods.items():
        for row in method.rows:
            writer.writerow([kind, method.role, row.after_visit, visited.get(row.after_visit), *row.scores])
    return text.getvalue()


def _rows(cells: Cells, num_visits: int, num_tasks: int) -> list[MatrixRow]:
    """A row per finished visit; one of the untrained network when something is known of it."""
    untrained = [-1] if any(after_visit == -1 for after_visit, _ in cells) else []
    visits = [*untrained, *range(num_visits)]
    return [_row(visit, [cells.get((visit, task)) for task in range(num_tasks)]) for visit in visits]


def _row(after_visit: int, cells: Sequence[EvaluationRecord | None]) -> MatrixRow:
    return MatrixRow(
        after_visit=after_visit,
        scores=[None if cell is None else cell.score for cell in cells],
        num_examples=[None if cell is None else cell.num_examples for cell in cells],
        intervals=[None if cell is None else cell.interval for cell in cells],
        chances=[None if cell is None else cell.chance for cell in cells],
    )


def _summary(matrix: ScoreMatrix, num_tasks: int) -> Summary:
    summary = matrix.summary()
    return Summary(
        average=summary.average,
        forgetting=_per_task(summary.forgetting, num_tasks),
        average_forgetting=summary.mean_forgetting,
        retention=_per_task(summary.retention, num_tasks),
        average_retention=summary.mean_retention,
        backward_transfer=summary.backward_transfer,
        forward_transfer=summary.forward_transfer,
    )


def _clipped_total(scores: Mapping[tuple[int, int], float], num_visits: int, num_tasks: int) -> float | None:
    last = [score for task in range(num_tasks) if (score := scores.get((num_visits - 1, task))) is not None]
    return sum(min(score, 1.0) for score in last) if last else None


def _per_task(values: Mapping[int, float | None], num_tasks: int) -> list[float | None]:
    return [values.get(task) for task in range(num_tasks)]
