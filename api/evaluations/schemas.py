"""The body of the score matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from api.schemas import Resource
from ewc_core.metrics import ScoreName


class MatrixTask(Resource):
    """A column of the matrix. `metric` is the unit of its scores; `has_ratios` says whether one may be divided by another:
    only where 0 is the natural end of the scale, as for accuracy and for returns that are never negative."""

    index: int
    name: str
    metric: ScoreName
    has_ratios: bool


class MatrixVisit(Resource):
    """A finished visit: what lies before row `index`."""

    index: int
    task_index: int


class MatrixRow(Resource):
    """Scores after a visit (-1: the untrained network), one per task; null where nothing was measured.

    A score before a task's first visit says how well the network does without having seen the task. Beside each stands over
    how many examples or episodes it was taken, its 95 % interval (bootstrap over them: what other examples would give, not
    other seeds) as [low, high], and its chance level; null where there is none, as in jobs of before they were kept.
    """

    after_visit: int
    scores: list[float | None]
    num_examples: list[int | None]
    intervals: list[tuple[float, float] | None]
    chances: list[float | None]


class Summary(Resource):
    """After the last finished visit. Lists have one entry per task; null where undefined.

    forgetting: the best score of the task so far minus its score now. retention: its score now over its score when it
    was last learned; null for a task without ratios, and where either score is negative or the divisor 0; its average is
    null when one is. backward_transfer: the mean change of the tasks not visited last since each was last learned.
    forward_transfer: the mean lead over the untrained network just before a task's first visit.
    """

    average: float | None
    forgetting: list[float | None]
    average_forgetting: float | None
    retention: list[float | None]
    average_retention: float | None
    backward_transfer: float | None
    forward_transfer: float | None


class MethodMatrix(Resource):
    """The matrix of the job's method, or of a control that was trained beside it.

    clipped_total: after the last visit, the sum over tasks of the normalised score, each at most 1; null for other metrics.
    """

    role: Literal["method", "control"]
    rows: list[MatrixRow]
    summary: Summary
    clipped_total: float | None = None


class Matrix(Resource):
    """R[i][j]: the score on task j after visit i, for the job's method and every control, the method first.

    `metric` is the unit of every score: "accuracy" in [0, 1], or "r2", at most 1, where targets are real numbers. For games
    it is the mean return: "normalised" so that random play is 0 and the reference player 1, or "return" as it is. Where only
    some games have a reference it is null: then each task's `metric` says what its scores are, and averages over tasks and
    transfers are null. The catalogue describes them under `scores`.
    """

    object: Literal["matrix"] = "matrix"
    job_id: str
    metric: ScoreName | None
    tasks: list[MatrixTask]
    visits: list[MatrixVisit]
    methods: Mapping[str, MethodMatrix]
