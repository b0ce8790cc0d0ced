"""What repositories return: frozen values, never rows. All times are timezone-aware UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from ewc_core.errors import SpecError
from ewc_core.specs import JOB_KINDS, AnyTaskSpec, JobSpec, LearningSpec
from ewc_core.specs.stored import job_spec_from_stored, task_spec_from_stored
from store.job_states import JobStatus

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list; `has_more` says whether another follows in the same direction."""

    items: Sequence[T]
    has_more: bool


@dataclass(frozen=True)
class Fence:
    """The right to write for a job: valid while the job's lease has this epoch."""

    job_id: str
    epoch: int
    worker_id: str


@dataclass(frozen=True)
class JobSummary:
    """A job without its spec, of which only `kind` and `metadata` are read. `task_index` is that of the visit that the job
    is at; `num_visits` counts those announced so far. The last four, and `slot`, are what decides who takes it, and when."""

    id: str
    owner: str
    name: str | None
    kind: str
    metadata: Mapping[str, str]
    status: JobStatus
    status_reason: str | None
    desired_state: str
    stream: str
    error: Mapping[str, Any] | None
    attempt: int
    attempts_since_progress: int
    visit_index: int | None
    task_index: int | None
    num_visits: int
    step: int | None
    num_steps: int | None
    last_event_seq: int
    last_switch_sequence: int
    weights_sha256: str | None
    request_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    slot: str
    priority: int
    device: str
    memory_bytes: int | None
    labels: Sequence[str]

    @property
    def has_tasks(self) -> bool:
        """Whether the job learns tasks; any other job has a result."""
        kind = JOB_KINDS.get(self.kind)
        return kind is not None and kind.has_tasks


@dataclass(frozen=True)
class JobRecord(JobSummary):
    """A job with its spec as it was stored: `spec` is read from it when it is first asked for."""

    stored_spec: Mapping[str, Any]

    @cached_property
    def spec(self) -> JobSpec:
        """What was submitted; it was checked then, and is not checked anew."""
        return job_spec_from_stored(self.stored_spec)

    @property
    def learning(self) -> LearningSpec:
        """The spec of a job with tasks.

        Raises:
            SpecError: the job is of a kind that has none.
        """
        if not self.spec.has_tasks:
            raise SpecError(f"job {self.id} is of kind {self.spec.kind!r}, which has no tasks")
        return cast(LearningSpec, self.spec)


@dataclass(frozen=True)
class JobStanding:
    """What a job's moves depend on. Nothing of its spec is read for it, so a job whose spec is damaged can still be moved."""

    id: str
    status: JobStatus
    attempts_since_progress: int
    last_event_seq: int
    is_started: bool


@dataclass(frozen=True)
class JobOrders:
    """What a job's holder asks for again and again: what its owner wants, and whether the row has changed."""

    desired_state: str
    version: int


@dataclass(frozen=True)
class AttemptRecord:
    """`environment`: what can change the bits of a result, by name."""

    job_id: str
    attempt: int
    epoch: int
    worker_id: str
    started_at: datetime
    environment: Mapping[str, str]


@dataclass(frozen=True)
class TransitionRecord:
    from_status: str | None
    to_status: str
    at: datetime
    reason: str
    actor: str
    epoch: int | None


@dataclass(frozen=True)
class TaskRecord:
    """`status` is pending, training, estimating_fisher, evaluating, completed or failed.

    `data` is what is known of the task's data since they were first loaded: `digests` (name, sha256, version), `as_read` and
    `warnings`; None before, and for games.
    """

    id: str
    job_id: str
    task_index: int
    name: str
    stored_spec: Mapping[str, Any]
    status: str
    num_visits: int
    num_examples_seen: int
    checkpoint_id: str | None
    data: Mapping[str, Any] | None
    created_at: datetime
    completed_at: datetime | None

    @cached_property
    def spec(self) -> AnyTaskSpec:
        """What was announced; it was checked then, and is not checked anew."""
        return task_spec_from_stored(self.stored_spec)


@dataclass(frozen=True)
class SwitchRecord:
    """A task switch. `append` and `revisit` start a visit; `switch_now` and `close` have none.

    `status` is pending, active or done. `now` asks the running visit to end at once; `cut_at_step` is the step at
    which this visit was ended by a later switch.
    """

    id: str
    job_id: str
    sequence: int
    action: str
    task_index: int | None
    visit_index: int | None
    origin: str
    now: bool
    status: str
    cut_at_step: int | None
    num_steps: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class ConstraintRecord:
    job_id: str
    task_index: int
    visit_index: int
    checkpoint_id: str
    ewc_lambda: float
    weight: float
    info: Mapping[str, Any]


@dataclass(frozen=True)
class ResultRecord:
    job_id: str
    body: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True)
class CheckpointRecord:
    """`tensors`: name, dtype, shape, begin, end (byte offsets in the file, end exclusive)."""

    id: str
    job_id: str
    visit_index: int
    task_index: int
    method: str
    blob_id: str
    size: int
    sha256: str
    weights_sha256: str
    tensors: Sequence[Mapping[str, Any]]
    created_at: datetime


@dataclass(frozen=True)
class ResumePointRecord:
    job_id: str
    visit_index: int
    step: int
    blob_id: str
    created_at: datetime


@dataclass(frozen=True)
class EvaluationRecord:
    method: str
    after_visit: int
    task_index: int
    score: float
    num_examples: int
    metric: str | None
    at: datetime


@dataclass(frozen=True)
class MetricPoint:
    method: str
    name: str
    visit_index: int
    step: int
    value: float


@dataclass(frozen=True)
class EventRecord:
    job_id: str
    seq: int
    level: str
    type: str
    message: str
    data: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True)
class BlobRecord:
    id: str
    size: int
    chunk_size: int
    num_chunks: int
    sha256: str
    media_type: str
    state: str
    created_at: datetime


@dataclass(frozen=True)
class LeaseRecord:
    job_id: str
    epoch: int
    worker_id: str | None
    expires_at: datetime


@dataclass(frozen=True)
class ExpiredLease:
    """A job whose holder went silent."""

    job_id: str
    status: JobStatus
    epoch: int
    attempts_since_progress: int


@dataclass(frozen=True)
class ApiKeyRecord:
    id: str
    owner: str
    name: str
    prefix: str
    secret_sha256: str
    scopes: Sequence[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class IdempotencyRecord:
    owner: str
    key: str
    request_sha256: str
    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    created_at: datetime
