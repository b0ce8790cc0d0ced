"""The score matrix of one method, and what it says.

R[i, j] is the score on task j after visit i; row −1 is the untrained network. L is the last visit. Undefined is None,
never NaN and never a default: a mean over tasks is None when the score of one of them is missing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ewc_core.errors import NonFiniteError, SpecError

UNTRAINED = -1


@dataclass(frozen=True)
class MatrixSummary:
    """Per task (by task index, tasks in order) and as means; None where undefined, or too large for a float.

    average: mean of R[L, j] over tasks seen.
    forgetting[j]: the best of R[i, j] over rows i < L from the task's first visit on, minus R[L, j]; negative when better.
    retention[j]: R[L, j] / R[row of the task's latest visit, j]; its mean is over the tasks not visited last. Only where the
    task's scores have ratios, the divisor is positive, and neither is negative.
    backward_transfer: mean of R[L, j] − R[row of the task's latest visit, j] over tasks not visited last.
    forward_transfer: mean of R[f − 1, j] − R[−1, j] over tasks first visited at f > 0.
    Differences of scores of which less is better have the other sign: forgotten is always what was lost, transfer what was won.
    """

    average: float | None
    forgetting: dict[int, float | None]
    mean_forgetting: float | None
    retention: dict[int, float | None]
    mean_retention: float | None
    backward_transfer: float | None
    forward_transfer: float | None


class ScoreMatrix:
    """Scores by (after_visit, task_index), with the task index of every finished visit, in order."""

    def __init__(
        self,
        scores: Mapping[tuple[int, int], float],
        visited: Sequence[int],
        *,
        with_ratios: Collection[int],
        less_is_better: Collection[int] = (),
        are_alike: bool = True,
    ) -> None:
        """Build the matrix. `with_ratios`: the tasks whose scores may be divided by one another (see `Score.ratios`);
        `less_is_better`: those of whose scores the lower is the better (see `Score.better`).

        `are_alike`: whether the scores of all tasks have one unit. Of unlike scores there is no mean, and none of differences.

        Raises:
            SpecError: a score belongs to a visit that is not in `visited`.
            NonFiniteError: a score is NaN or infinite.
        """
        for (after_visit, task_index), score in scores.items():
            if not math.isfinite(score):
                raise NonFiniteError(f"the score of task {task_index} after visit {after_visit} is {score}")
            if not UNTRAINED <= after_visit < len(visited):
                raise SpecError(f"a score is given after visit {after_visit}, but {len(visited)} visits are finished")
        self._scores = dict(scores)
        self._visited = tuple(visited)
        self._with_ratios = frozenset(with_ratios)
        self._less_is_better = frozenset(less_is_better)
        self._are_alike = are_alike

    @property
    def tasks(self) -> list[int]:
        """Indices of the tasks visited, in increasing order."""
        return sorted(set(self._visited))

    @property
    def num_visits(self) -> int:
        """Number of finished visits."""
        return len(self._visited)

    def score(self, after_visit: int, task_index: int) -> float | None:
        """R[after_visit, task_index], or None when it was not measured."""
        return self._scores.get((after_visit, task_index))

    def rows(self) -> list[list[float | None]]:
        """Rows 0..L over `tasks`; scores before a task's first visit are left out (None)."""
        return [
            [self.score(visit, task) if visit >= self._first_visit(task) else None for task in self.tasks]
            for visit in range(self.num_visits)
        ]

    def average(self, after_visit: int) -> float | None:
        """Mean of row `after_visit` over the tasks that had been visited by then."""
        return self._mean_score([self.score(after_visit, task) for task in sorted(set(self._visited[: after_visit + 1]))])

    def summary(self) -> MatrixSummary:
        """Every metric, after the last finished visit."""
        last = self.num_visits - 1
        forgetting = {task: self._forgetting(task) for task in self.tasks}
        retention = {task: self._retention(task) for task in self.tasks}
        left = [task for task in self.tasks if self._latest_visit(task) < last]
        later = [task for task in self.tasks if self._first_visit(task) > 0]
        return MatrixSummary(
            average=self.average(last),
            forgetting=forgetting,
            mean_forgetting=self._mean_score([forgetting[task] for task in self.tasks if self._first_visit(task) < last]),
            retention=retention,
            mean_retention=_mean([retention[task] for task in left]),
            backward_transfer=self._mean_score(
                [self._gain(task, self.score(last, task), self.score(self._latest_visit(task), task)) for task in left]
            ),
            forward_transfer=self._mean_score(
                [self._gain(task, self.score(self._first_visit(task) - 1, task), self.score(UNTRAINED, task)) for task in later]
            ),
        )

    def _mean_score(self, values: Sequence[float | None]) -> float | None:
        """The mean of scores, or of differences of scores, of several tasks."""
        return _mean(values) if self._are_alike else None

    def _gain(self, task: int, score: float | None, than: float | None) -> float | None:
        """How much better the one score is than the other."""
        return _minus(than, score) if task in self._less_is_better else _minus(score, than)

    def _forgetting(self, task: int) -> float | None:
        last = self.num_visits - 1
        earlier = [self.score(visit, task) for visit in range(self._first_visit(task), last)]
        known = [score for score in earlier if score is not None]
        if not known or len(known) != len(earlier):
            return None
        best = min(known) if task in self._less_is_better else max(known)
        return self._gain(task, best, self.score(last, task))

    def _retention(self, task: int) -> float | None:
        now, then = self.score(self.num_visits - 1, task), self.score(self._latest_visit(task), task)
        if task not in self._with_ratios or now is None or then is None or now < 0.0 or then <= 0.0:
            return None
        return _finite(now / then)

    def _first_visit(self, task: int) -> int:
        return self._visited.index(task)

    def _latest_visit(self, task: int) -> int:
        return len(self._visited) - 1 - self._visited[::-1].index(task)


def _minus(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else _finite(left - right)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known or len(known) != len(values):
        return None
    try:
        return math.fsum(known) / len(known)
    except OverflowError:
        return None


def _finite(value: float) -> float | None:
    """A number that is no float any more (a ratio to the smallest of floats, a difference of the largest) is not known."""
    return value if math.isfinite(value) else None
