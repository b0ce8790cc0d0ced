"""The moves of a job that its trainer makes: every one is a short fenced transaction, or part of one."""

from __future__ import annotations

import logging
from typing import Any

from ewc_core.errors import EwcError
from store.job_states import DesiredState, JobStatus
from store.records import Fence
from store.unit_of_work import Database, Work

log = logging.getLogger(__name__)


class Moves:
    """Moves one job, under one fence."""

    def __init__(self, database: Database, fence: Fence) -> None:
        self._database = database
        self._fence = fence

    def move(self, work: Work, to: JobStatus, reason: str) -> None:
        """Move the job, within the transaction `work`."""
        work.jobs.transition(self._fence.job_id, to, reason=reason, actor=self._fence.worker_id, epoch=self._fence.epoch)

    def obey(self, desired_state: str) -> bool:
        """Bring the job to rest if its owner asked for it; whether it rests now."""
        resting = {DesiredState.CANCEL: JobStatus.CANCELLED, DesiredState.PAUSE: JobStatus.PAUSED}
        to = resting.get(DesiredState(desired_state))
        if to is None:
            return False
        with self._database.fenced(self._fence) as work:
            self.move(work, to, to.value)
        return True

    def fail(self, error: EwcError) -> None:
        """The job itself is at fault (its spec, its data, a diverging loss): no attempt can help before somebody acts."""
        log.warning("job %s failed: %s", self._fence.job_id, error)
        details: dict[str, Any] = {"code": error.code, "message": str(error), "retryable": error.retryable}
        if error.field:
            details["field"] = error.field
        with self._database.fenced(self._fence) as work:
            job = work.jobs.standing(self._fence.job_id, lock=True)
            if job.status == JobStatus.CANCELLING:
                self.move(work, JobStatus.CANCELLED, "cancelled")
                return
            work.events.append(job.id, type="job.failed", message=str(error), data=details, level="error")
            work.jobs.transition(
                job.id, JobStatus.FAILED, reason=error.code, actor=self._fence.worker_id, epoch=self._fence.epoch, error=details
            )
