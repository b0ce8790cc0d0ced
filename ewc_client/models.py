"""What the service sends, as frozen values. `raw` is always the whole body, with what this version does not know.

Scores are accuracies in [0, 1], or R² (`Matrix.metric`); None where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; `last_id` is the cursor of the next one."""

    data: Sequence[T]
    has_more: bool
    first_id: str | None
    last_id: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)


@dataclass(frozen=True)
class Progress:
    """Where a job is: `step` of `num_steps` in visit `visit_index` of the `num_visits` announced so far."""

    visit_index: int | None
    task_index: int | None
    step: int | None
    num_steps: int | None
    num_visits: int | None

    @classmethod
    def from_body(cls, body: Body) -> Progress:
        """From the `progress` of a job."""
        return cls(*(body.get(name) for name in ("visit_index", "task_index", "step", "num_steps", "num_visits")))


@dataclass(frozen=True)
class Event:
    """One entry of a job's history; `seq` counts from 1 without a gap."""

    seq: int
    level: str
    type: str
    message: str
    data: Body
    at: str
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Event:
        """From an event of a page or of the stream."""
        return cls(
            seq=int(body["seq"]),
            level=str(body["level"]),
            type=str(body["type"]),
            message=str(body["message"]),
            data=body.get("data") or {},
            at=str(body["at"]),
            raw=body,
        )


@dataclass(frozen=True)
class Task:
    """A task of a job and how far it is. `weight` is how often its constraint counts; None while it has none.

    `data` is what the service knows of the task's data: `digests`, `as_read` and `warnings`; None before they were loaded,
    and for games.
    """

    task_index: int
    name: str
    status: str
    num_visits: int
    checkpoint_id: str | None
    weight: float | None
    data: Body | None
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Task:
        """From an item of the tasks list."""
        return cls(
            task_index=int(body["task_index"]),
            name=str(body["name"]),
            status=str(body["status"]),
            num_visits=int(body.get("num_visits", 0)),
            checkpoint_id=body.get("checkpoint_id"),
            weight=(body.get("constraint") or {}).get("weight"),
            data=body.get("data"),
            raw=body,
        )


@dataclass(frozen=True)
class TaskSwitch:
    """A task switch as recorded. `append` and `revisit` have a visit; `switch_now` and `close` have none."""

    id: str
    sequence: int
    action: str
    task_index: int | None
    visit_index: int | None
    status: str
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> TaskSwitch:
        """From a task switch."""
        return cls(
            id=str(body["id"]),
            sequence=int(body["sequence"]),
            action=str(body["action"]),
            task_index=body.get("task_index"),
            visit_index=body.get("visit_index"),
            status=str(body["status"]),
            raw=body,
        )


@dataclass(frozen=True)
class Metric:
    """One point of a metric series."""

    method: str
    name: str
    visit_index: int
    step: int
    value: float


@dataclass(frozen=True)
class TensorEntry:
    """A tensor inside a checkpoint's file: bytes `begin` to `end` (exclusive) from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @classmethod
    def from_body(cls, body: Body) -> TensorEntry:
        """From an item of a checkpoint's `tensors`."""
        return cls(str(body["name"]), str(body["dtype"]), tuple(body["shape"]), int(body["begin"]), int(body["end"]))


@dataclass(frozen=True)
class Worker:
    """A live worker process. It has `slots` slots for training and one for short work; `num_training` and `num_short` are taken.
    `memory_bytes` None: it takes jobs of any size."""

    id: str
    hostname: str
    pid: int
    queue: str
    slots: int
    num_training: int
    num_short: int
    labels: tuple[str, ...]
    memory_bytes: int | None
    held_memory_bytes: int
    last_seen_at: str
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Worker:
        """From an item of the workers list."""
        return cls(
            id=str(body["id"]),
            hostname=str(body["hostname"]),
            pid=int(body["pid"]),
            queue=str(body["queue"]),
            slots=int(body["slots"]),
            num_training=int(body.get("num_training") or 0),
            num_short=int(body.get("num_short") or 0),
            labels=tuple(body.get("labels") or ()),
            memory_bytes=body.get("memory_bytes"),
            held_memory_bytes=int(body.get("held_memory_bytes") or 0),
            last_seen_at=str(body["last_seen_at"]),
            raw=body,
        )


@dataclass(frozen=True)
class ApiKey:
    """An API key. `key` is the secret itself: there only in the answer that created it."""

    id: str
    owner: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None
    key: str | None = field(repr=False)
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> ApiKey:
        """From an API key, with or without its secret."""
        return cls(
            id=str(body["id"]),
            owner=str(body["owner"]),
            name=str(body["name"]),
            prefix=str(body["prefix"]),
            scopes=tuple(body["scopes"]),
            created_at=str(body["created_at"]),
            revoked_at=body.get("revoked_at"),
            key=body.get("key"),
            raw=body,
        )


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
    """The score matrix of one method. `rows[after_visit][task_index]`; after_visit -1 is the untrained network."""

    kind: str
    role: str
    rows: Mapping[int, tuple[float | None, ...]]
    summary: Summary
    clipped_total: float | None = None

    @classmethod
    def from_body(cls, kind: str, body: Body) -> MethodScores:
        """From an entry of the matrix's `methods`."""
        rows = {int(row["after_visit"]): tuple(row["scores"]) for row in body["rows"]}
        return cls(
            kind=kind,
            role=str(body["role"]),
            rows=rows,
            summary=Summary.from_body(body["summary"]),
            clipped_total=body.get("clipped_total"),
        )


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
