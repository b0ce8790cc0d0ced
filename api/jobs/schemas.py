"""The body of a job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field

from api.schemas import Record, Resource, ShownAs
from ewc_core.specs import JOB_KINDS, JobSpec, Priority, Slot, Spec
from store.job_states import JobStatus


def _known(kind: str) -> str:
    if kind not in JOB_KINDS:
        raise ValueError(f"{kind!r} is no kind of job")
    return kind


KindOfJob = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(JOB_KINDS)})]


class Progress(Resource):
    """Where the job is. `step` of `num_steps` belongs to the visit, or to the whole of a job without visits; `num_visits`
    counts those announced so far."""

    visit_index: int | None
    task_index: int | None
    step: int | None
    num_steps: int | None
    num_visits: int


class JobError(Resource):
    """Why a job failed. `code` is stable; some codes add members."""

    model_config = ConfigDict(extra="allow", frozen=True)

    code: str | None = None
    message: str | None = None


class Lease(Resource):
    """Which worker holds the job, under which fencing epoch, and until when if it goes silent."""

    worker_id: str
    epoch: int
    expires_at: datetime


class Transition(Resource):
    """One move of the job. `epoch` is that of the worker that made it, or null."""

    from_status: JobStatus | None
    to_status: JobStatus
    at: datetime
    reason: str
    actor: str
    epoch: int | None


class JobWarning(Resource):
    """Something about the job that its owner should know while it runs on. One per `code`: the latest."""

    code: str
    message: str
    visit_index: int | None
    at: datetime


class WaitingFor(Resource):
    """What no running worker has that a queued job asks for."""

    code: Literal["worker", "labels", "device", "memory"]
    message: str


class JobSummary(Record):
    """A job as lists show it; `links.self` has the whole of it."""

    object: Literal["job"] = "job"
    name: str | None
    kind: KindOfJob
    status: JobStatus
    status_reason: str | None
    desired_state: Literal["run", "pause", "cancel"]
    stream: Literal["open", "closed"]
    slot: Slot = Field(description="what it takes of a worker: a training slot, or the one for short work")
    priority: Priority
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: Progress
    attempt: int
    error: JobError | None
    weights_sha256: str | None
    metadata: Mapping[str, str]
    request_id: str | None
    links: Mapping[str, str]


class Job(JobSummary):
    """A job and its life so far. A job without tasks has no visits either: its `progress` has steps only, and what it finds is
    at `links.result`."""

    spec: Annotated[Mapping[str, Any], ShownAs(JobSpec)]
    queue_position: int | None = Field(
        description="of a queued job: 1 when it is the next of all that wait for a slot of its kind; else null"
    )
    waiting_for: WaitingFor | None = Field(description="why no running worker could take the queued job; else null")
    warnings: list[JobWarning]
    lease: Lease | None
    transitions: list[Transition]


class JobChanges(Spec):
    """What can be changed of a job."""

    priority: Priority


PERMUTED_DIGITS: dict[str, Any] = {
    "name": "three permuted digit tasks",
    "seed": 0,
    "network": {"kind": "mlp", "hidden_sizes": [100, 100]},
    "training": {"optimiser": "adam", "learning_rate": 0.001, "batch_size": 32, "num_epochs": 20},
    "method": {"kind": "ewc", "ewc_lambda": 100.0},
    "controls": ["naive", "joint"],
    "tasks": [
        {"kind": "permuted", "dataset": "digits", "permutation": 0},
        {"kind": "permuted", "dataset": "digits", "permutation": 1},
        {"kind": "permuted", "dataset": "digits", "permutation": 2},
    ],
    "stream": "closed",
    "metadata": {"team": "research"},
}
OPEN_STREAM: dict[str, Any] = {
    "method": {"kind": "ewc", "ewc_lambda": 100.0},
    "tasks": [{"dataset": "digits", "permutation": 0}],
    "stream": "open",
}
SPLIT_DIGITS: dict[str, Any] = {
    "heads": {"kind": "multi"},
    "method": {"kind": "ewc", "ewc_lambda": 1000.0, "fisher_estimator": "sampled"},
    "controls": ["naive"],
    "tasks": [
        {"kind": "split", "dataset": "digits", "classes": [0, 1]},
        {"kind": "split", "dataset": "digits", "classes": [2, 3]},
    ],
}
OWN_ARRAYS: dict[str, Any] = {
    "network": {"hidden_sizes": [64]},
    "method": {"kind": "online_ewc", "ewc_lambda": 100.0, "fisher_decay": 0.9},
    "tasks": [
        {"kind": "plain", "dataset": {"kind": "arrays", "path": "sensors/january.npz", "likelihood": "gaussian"}},
        {"kind": "plain", "dataset": {"kind": "arrays", "path": "sensors/february.npz", "likelihood": "gaussian"}},
    ],
}
ASSOCIATION: dict[str, Any] = {
    "kind": "association",
    "num_synapses": 200,
    "num_patterns": 600,
    "num_repeats": 50,
    "rules": [{"kind": "gd"}, {"kind": "ewc"}, {"kind": "online_ewc", "fisher_decay": 0.99}],
}
ANALYSIS: dict[str, Any] = {
    "kind": "analysis",
    "job_id": "job_01M82HVNC2Q700QHGDAFKR25MV",
    "question": {"kind": "overlap", "first_task": 0, "second_task": 1},
}
JOB_EXAMPLES: dict[str, Any] = {
    "permuted_digits": {"summary": "The permuted digits experiment with its lower and upper bound", "value": PERMUTED_DIGITS},
    "open_stream": {"summary": "One task now, more to be announced while the job runs", "value": OPEN_STREAM},
    "split_digits": {"summary": "Two classes at a time, each task with outputs of its own", "value": SPLIT_DIGITS},
    "own_arrays": {"summary": "Regression on files of your own in the data directory", "value": OWN_ARRAYS},
    "association": {"summary": "How long a readout remembers random patterns, rule by rule", "value": ASSOCIATION},
    "analysis": {"summary": "Which layers two tasks of an earlier job share", "value": ANALYSIS},
    "check": {"summary": "What a job would take, and what is wrong with it", "value": {"kind": "check", "job": PERMUTED_DIGITS}},
}
CHECK_EXAMPLES: dict[str, Any] = {name: JOB_EXAMPLES[name] for name in ("permuted_digits", "own_arrays", "association")}
