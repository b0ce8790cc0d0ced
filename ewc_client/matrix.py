"""Score matrices as the service sends them, as frozen values.

Scores are accuracies in [0, 1], or R², or returns (`Matrix.metric`); None where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ewc_client.models import Body


@dataclass(frozen=True)
class Summary:
    """One method's matrix in numbers. Forgetting is a difference of scores, retention a ratio; None where undefined."""

    average: float | None
    forgetting: tuple[float | None, ...]
    average_forgetting: float | None
    retention: tuple[float | None, ...]
    average_retention: float | None
    backward_transfer: float | None
    forward_transfer: float | None

    @classmethod
    def from_body(cls, body: Body) -> Summary:
        """From a method's `summary`."""
        return cls(
            average=body.get("average"),
            forgetting=tuple(body.get("forgetting") or ()),
            average_forgetting=body.get("average_forgetting"),
            retention=tuple(body.get("retention") or ()),
            average_retention=body.get("average_retention"),
            backward_transfer=body.get("backward_transfer"),
            forward_transfer=body.get("forward_transfer"),
        )


@dataclass(frozen=True)
class MethodScores:
    """The score matrix of one method. `rows[after_visit][task_index]`; after_visit -1 is the untrained network.

    In the same places, `intervals` are both ends of the score's 95 % interval over examples or episodes, `num_examples` how
    many they were, and `chances` the chance level; None where there is none, and empty from services that do not tell them.
    """

    kind: str
    role: str
    rows: Mapping[int, tuple[float | None, ...]]
    summary: Summary
    clipped_total: float | None = None
    intervals: Mapping[int, tuple[tuple[float, float] | None, ...]] = field(default_factory=dict)
    num_examples: Mapping[int, tuple[int | None, ...]] = field(default_factory=dict)
    chances: Mapping[int, tuple[float | None, ...]] = field(default_factory=dict)

    @classmethod
    def from_body(cls, kind: str, body: Body) -> MethodScores:
        """From an entry of the matrix's `methods`."""
        return cls(
            kind=kind,
            role=str(body["role"]),
            rows=_by_visit(body, "scores"),
            summary=Summary.from_body(body["summary"]),
            clipped_total=body.get("clipped_total"),
            intervals=_by_visit(body, "intervals"),
            num_examples=_by_visit(body, "num_examples"),
            chances=_by_visit(body, "chances"),
        )


def _by_visit(body: Body, name: str) -> dict[int, tuple[Any, ...]]:
    """A list of every row, its entries frozen."""
    rows = {int(row["after_visit"]): row.get(name) or () for row in body["rows"]}
    return {visit: tuple(tuple(it) if isinstance(it, list) else it for it in row) for visit, row in rows.items()}


@dataclass(frozen=True)
class Matrix:
    """R[i, j]: the score on task j after visit i, for the job's method and its controls, the method first.

    `metric` is "accuracy" or "r2", or for games "normalised" or "return"; None where games of a job have different ones, which
    `metrics` has by task. `has_ratios` by task: whether its scores may be
    divided by one another; the retention of the others is None.
    """

    task_names: tuple[str, ...]
    visits: Mapping[int, int]
    methods: Mapping[str, MethodScores]
    metric: str | None
    metrics: tuple[str, ...]
    has_ratios: tuple[bool, ...]
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Matrix:
        """From the answer of `/evaluations/matrix`."""
        tasks = sorted(body["tasks"], key=lambda task: int(task["index"]))
        methods = {kind: MethodScores.from_body(kind, scores) for kind, scores in body["methods"].items()}
        metric = body.get("metric", "accuracy")
        ordered = sorted(methods.values(), key=lambda scores: scores.role != "method")
        return cls(
            task_names=tuple(str(task["name"]) for task in tasks),
            visits={int(visit["index"]): int(visit["task_index"]) for visit in body["visits"]},
            methods={scores.kind: scores for scores in ordered},
            metric=metric,
            metrics=tuple(str(task.get("metric", metric)) for task in tasks),
            has_ratios=tuple(bool(task.get("has_ratios", metric == "accuracy")) for task in tasks),
            raw=body,
        )
