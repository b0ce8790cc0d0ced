"""The moves that an owner can ask for: cancel, pause, resume, retry.

A job that no worker holds moves at once. One that a worker holds moves to `cancelling` or `pausing`, and the worker,
which reads the desired state with every heartbeat, makes the rest of the move.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from api.caller import Caller
from ewc_core.errors import IllegalTransition
from ewc_core.specs.hints import listed
from store.job_states import DesiredState, JobStatus
from store.records import JobSummary
from store.unit_of_work import Work

_S = JobStatus


class Move(StrEnum):
    """A request that moves a job; the last part of its path."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


TARGETS: dict[Move, Mapping[JobStatus, JobStatus]] = {
    Move.CANCEL: {
        _S.QUEUED: _S.CANCELLED,
        _S.WAITING: _S.CANCELLED,
        _S.PAUSED: _S.CANCELLED,
        _S.STARTING: _S.CANCELLING,
        _S.RUNNING: _S.CANCELLING,
        _S.PAUSING: _S.CANCELLING,
    },
    Move.PAUSE: {_S.QUEUED: _S.PAUSED, _S.WAITING: _S.PAUSED, _S.STARTING: _S.PAUSING, _S.RUNNING: _S.PAUSING},
    Move.RESUME: {_S.PAUSED: _S.QUEUED},
    Move.RETRY: {_S.FAILED: _S.QUEUED},
}
"""The status that each move leads to, by the status that it starts from. A part of `store.job_states.ALLOWED_MOVES`."""

_USUAL_TARGET = {Move.CANCEL: _S.CANCELLED, Move.PAUSE: _S.PAUSED, Move.RESUME: _S.QUEUED, Move.RETRY: _S.QUEUED}
_DONE = {Move.CANCEL: "cancelled", Move.PAUSE: "paused", Move.RESUME: "resumed", Move.RETRY: "retried"}
_DESIRED = {_S.CANCELLING: DesiredState.CANCEL, _S.PAUSING: DesiredState.PAUSE}


class MoveNotAllowed(IllegalTransition):
    """An owner's move from a status that it does not start from. `allowed` are the states that other moves lead to."""

    def __init__(self, job: JobSummary, move: Move) -> None:
        states = {targets[job.status].value for targets in TARGETS.values() if job.status in targets}
        actions = moves_from(job.status)
        super().__init__(
            job.id,
            job.status.value,
            _USUAL_TARGET[move].value,
            sorted(states),
            message=(
                f"job {job.id} is {job.status.value} and cannot be {_DONE[move]}; that takes a job that is "
                f"{listed(status.value for status in TARGETS[move])}. What this one allows: {', '.join(actions) or 'nothing'}"
            ),
        )
        self.members = {"allowed_actions": actions}


def moves_from(status: JobStatus) -> list[str]:
    """The moves that an owner can ask for in this status."""
    return [move.value for move in Move if status in TARGETS[move]]


def make_move(work: Work, job_id: str, move: Move, caller: Caller) -> None:
    """Move the caller's job. One that is retried takes the trial that it is up again.

    Raises:
        NotFound: no such job of this owner.
        MoveNotAllowed: the job's status has no such move.
    """
    if move is Move.RETRY:
        work.jobs.require(job_id, owner=caller.owner)
        work.sweeps.take_up_again(job_id)
    job = work.jobs.summary(job_id, owner=caller.owner, lock=True)
    target = TARGETS[move].get(job.status)
    if target is None:
        raise MoveNotAllowed(job, move)
    work.jobs.transition(job_id, target, reason=f"{move.value}_requested", actor=caller.actor)
    if target in _DESIRED:
        work.jobs.set_desired_state(job_id, _DESIRED[target])
