"""The one table of job states and allowed moves. Published by the API's catalogue, enforced by the job repository."""

from __future__ import annotations

from enum import StrEnum


class JobStatus(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DesiredState(StrEnum):
    """What the owner wants of a job that a worker holds."""

    RUN = "run"
    PAUSE = "pause"
    CANCEL = "cancel"


_S = JobStatus
ALLOWED_MOVES: dict[JobStatus, frozenset[JobStatus]] = {
    _S.QUEUED: frozenset({_S.STARTING, _S.PAUSED, _S.CANCELLED, _S.FAILED}),
    _S.STARTING: frozenset({_S.RUNNING, _S.QUEUED, _S.PAUSING, _S.CANCELLING, _S.FAILED}),
    _S.RUNNING: frozenset({_S.WAITING, _S.SUCCEEDED, _S.FAILED, _S.QUEUED, _S.PAUSING, _S.CANCELLING}),
    _S.WAITING: frozenset({_S.QUEUED, _S.PAUSED, _S.SUCCEEDED, _S.CANCELLED}),
    _S.PAUSING: frozenset({_S.PAUSED, _S.CANCELLING, _S.FAILED}),
    _S.PAUSED: frozenset({_S.QUEUED, _S.CANCELLED}),
    _S.CANCELLING: frozenset({_S.CANCELLED}),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset(),
}
FINISHED = frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED})
HELD = frozenset({_S.STARTING, _S.RUNNING, _S.PAUSING, _S.CANCELLING})
"""States in which a worker holds, or held, the job's lease."""

RECORD_UNAVAILABLE = "record_unavailable"
RECOVERED_REASONS = frozenset({"lease_expired", "trainer_lost", "worker_stopping", RECORD_UNAVAILABLE})
"""Why a job is queued again whose attempt ended too early, through no wish of its owner: it goes first."""


def is_allowed(current: JobStatus, requested: JobStatus) -> bool:
    """Whether the table allows the move."""
    return requested in ALLOWED_MOVES[current]


def allowed_from(current: JobStatus) -> list[str]:
    """The states that can follow `current`, sorted by name."""
    return sorted(state.value for state in ALLOWED_MOVES[current])
