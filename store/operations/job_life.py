"""The life of a job: how it begins, and how it moves from one state to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, update

from ewc_core.errors import IllegalTransition
from ewc_core.specs import JobSpec
from store.ids import new_id
from store.job_states import ALLOWED_MOVES, FINISHED, DesiredState, JobStatus, allowed_from, is_allowed
from store.records import JobRecord, JobStanding
from store.repositories import job_rows
from store.repositories.events import Events
from store.repositories.jobs import Jobs
from store.repositories.resume_points import ResumePoints
from store.repositories.switches import Switches
from store.repositories.tasks import Tasks
from store.tables import JobRow, TransitionRow

_RESTING = FINISHED | {JobStatus.WAITING, JobStatus.PAUSED}

# Made once, for every submission.
_INSERT = insert(JobRow)
_INSERT_TRANSITION = insert(TransitionRow)


class JobLife(Jobs):
    """Jobs, with what writes to other tables too: their tasks, switches, moves, events and resume points."""

    def create(self, spec: JobSpec, *, owner: str, request_id: str | None = None) -> JobRecord:
        """A new queued job with its tasks, a switch per visit that its spec plans, and its first event.

        Supervised: one visit per task, in order. Reinforcement: the visits of the schedule.

        Cost: one statement per table, however many tasks and visits there are.
        """
        job_id = new_id("job")
        tasks = spec.planned_tasks
        visits = spec.planned_visits
        row = job_rows.new_job_row(job_id, spec, owner, request_id, num_switches=len(visits), now=self._now)
        self._connection.execute(_INSERT, row)
        Tasks(self._transaction).add_first(job_id, tasks)
        Switches(self._transaction).add_planned(job_id, visits)
        self._record_transition(job_id, None, JobStatus.QUEUED, reason=job_rows.SUBMITTED, actor=owner, epoch=None)
        Events(self._transaction).add_first(
            job_id,
            type="job.created",
            message=f"{spec.kind} job created" + (f" with {len(tasks)} task{'s' if len(tasks) > 1 else ''}" if tasks else ""),
            data={"kind": spec.kind, "num_tasks": len(tasks)},
        )
        return job_rows.new_job_record(row)

    def transition(
        self,
        job_id: str,
        to: JobStatus | str,
        *,
        reason: str,
        actor: str,
        epoch: int | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        """Move a job to another state, with its history and its event.

        Entering `queued` makes the job due for a wake-up at once; entering a resting state withdraws what was asked of
        the job's holder; `failed` keeps `error`, and leaving it forgets it. A state that nothing follows needs no
        resume point: it is dropped.

        Raises:
            IllegalTransition: the table of states does not allow the move.
            NotFound: there is no such job.
        """
        requested = JobStatus(to)
        job = self.standing(job_id, lock=True)
        if not is_allowed(job.status, requested):
            raise IllegalTransition(job_id, job.status.value, requested.value, allowed_from(job.status))
        changes = self._changes_of_move(job, requested, reason, error)
        self._connection.execute(update(JobRow).where(JobRow.id == job_id).values(**changes, **self._touched()))
        if not ALLOWED_MOVES[requested]:
            ResumePoints(self._transaction).drop(job_id)
        self._record_transition(job_id, job.status, requested, reason=reason, actor=actor, epoch=epoch)
        Events(self._transaction).append(
            job_id,
            type="job.status",
            level="error" if requested is JobStatus.FAILED else "info",
            message=f"{job.status.value} -> {requested.value}: {reason}",
            data={"from": job.status.value, "to": requested.value, "reason": reason},
        )

    def _changes_of_move(self, job: JobStanding, to: JobStatus, reason: str, error: Mapping[str, Any] | None) -> dict[str, Any]:
        changes: dict[str, Any] = {
            "status": to.value,
            "status_reason": reason,
            "error": None if error is None else dict(error),
            "finished_at": self._now if to in FINISHED else None,
        }
        if to is JobStatus.RUNNING and not job.is_started:
            changes["started_at"] = self._now
        if to is JobStatus.QUEUED:
            changes.update(woken_at=None, num_wake_ups=0)
        if to in _RESTING:
            changes["desired_state"] = DesiredState.RUN.value
            changes["attempts_since_progress"] = 0
        return changes

    def _record_transition(
        self, job_id: str, from_status: JobStatus | None, to: JobStatus, *, reason: str, actor: str, epoch: int | None
    ) -> None:
        move = {
            "job_id": job_id,
            "from_status": from_status.value if from_status else None,
            "to_status": to.value,
            "at": self._now,
            "reason": reason,
            "actor": actor,
            "epoch": epoch,
        }
        self._connection.execute(_INSERT_TRANSITION, move)
