"""The supervisor: claims a job's lease, runs the trainer as a child process, keeps the lease alive, settles crashes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any

from ewc_core.errors import Fenced, StoreUnavailable
from store.job_states import DesiredState, JobStatus
from store.records import Fence, JobRecord
from store.unit_of_work import Database, Work
from worker import exit_codes
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_TAIL_BYTES = 4096
_MAX_CRASHES_WITHOUT_PROGRESS = 2


class Supervisor:
    """Attends to one job at a time, from the claim of its lease to its next resting state."""

    def __init__(self, database: Database, settings: WorkerSettings, *, worker_id: str, stopping: Callable[[], bool]) -> None:
        self._database = database
        self._settings = settings
        self._worker_id = worker_id
        self._stopping = stopping

    def attend(self, job_id: str) -> None:
        """Train the job until it rests: finished, waiting, paused, or left to another worker."""
        while not self._stopping():
            with self._database.write() as work:
                fence = work.leases.claim(job_id, worker_id=self._worker_id, ttl_seconds=self._settings.lease_seconds)
            if fence is None:
                return
            log.info("job %s: claimed with epoch %d", job_id, fence.epoch)
            if not self._train_once(fence):
                return

    def _train_once(self, fence: Fence) -> bool:
        """Run one trainer to its end. Returns whether the job should be claimed again at once."""
        with tempfile.TemporaryFile() as stderr:
            trainer = _start_trainer(fence, stderr)
            try:
                self._watch(trainer, fence)
            finally:
                _kill(trainer)
            return self._settle(fence, trainer.returncode, _tail(stderr))

    def _watch(self, trainer: subprocess.Popen[bytes], fence: Fence) -> None:
        """Keep the lease alive while the trainer runs; stop the trainer when the worker stops or its owner says so."""
        next_beat = time.monotonic() + self._settings.heartbeat_seconds
        kill_at: float | None = None
        while trainer.poll() is None:
            now = time.monotonic()
            if kill_at is not None and now >= kill_at:
                log.warning("job %s: the trainer did not stop in time and is killed", fence.job_id)
                return
            if kill_at is None and self._stopping():
                trainer.send_signal(signal.SIGTERM)
                kill_at = now + self._settings.stop_grace_seconds
            if now >= next_beat:
                next_beat = now + self._settings.heartbeat_seconds
                desired = self._beat(fence)
                if desired is None:
                    return
                if desired != DesiredState.RUN and kill_at is None:
                    kill_at = now + self._settings.stop_grace_seconds
            _wait(trainer, _POLL_SECONDS)

    def _beat(self, fence: Fence) -> str | None:
        """Extend the lease. Returns the desired state, or None when another worker has taken the job over."""
        try:
            with self._database.write() as work:
                return work.leases.extend(fence, ttl_seconds=self._settings.lease_seconds)
        except Fenced:
            log.warning("job %s: epoch %d is stale; its trainer is killed", fence.job_id, fence.epoch)
            return None
        except StoreUnavailable as error:
            log.warning("job %s: heartbeat failed (%s); trying again", fence.job_id, error)
            return DesiredState.RUN

    def _settle(self, fence: Fence, status: int, tail: str) -> bool:
        """Move the job on according to the trainer's exit status. Returns whether to claim it again at once."""
        if status == exit_codes.FENCED:
            return False
        if status != exit_codes.SETTLED:
            log.warning("job %s: trainer left with %s", fence.job_id, _describe(status))
        try:
            with self._database.fenced(fence) as work:
                job = work.jobs.get(fence.job_id, lock=True)
                again = False
                if status != exit_codes.SETTLED:
                    again = self._settle_crash(work, job, fence, status, tail)
                work.leases.release(fence)
            return again
        except Fenced:
            return False

    def _settle_crash(self, work: Work, job: JobRecord, fence: Fence, status: int, tail: str) -> bool:
        def move(to: JobStatus, reason: str, error: dict[str, Any] | None = None) -> None:
            work.jobs.transition(job.id, to, reason=reason, actor=self._worker_id, epoch=fence.epoch, error=error)

        if job.status == JobStatus.CANCELLING:
            move(JobStatus.CANCELLED, "cancelled")
        elif job.status == JobStatus.PAUSING:
            move(JobStatus.PAUSED, "paused")
        elif job.status in (JobStatus.STARTING, JobStatus.RUNNING):
            if status == exit_codes.STOPPED:
                move(JobStatus.QUEUED, "worker_stopping")
                return False
            limit = self._settings.max_attempts_without_progress
            if status == exit_codes.CRASHED and job.attempts_since_progress >= _MAX_CRASHES_WITHOUT_PROGRESS:
                move(
                    JobStatus.FAILED,
                    "trainer_crashed",
                    _error("trainer_crashed", f"the trainer crashed twice at the same place: {tail}"),
                )
            elif job.attempts_since_progress >= limit:
                move(
                    JobStatus.FAILED,
                    "worker_lost",
                    _error("worker_lost", f"{limit} attempts in a row made no progress; the last ended with {_describe(status)}"),
                )
            else:
                move(JobStatus.QUEUED, "trainer_lost")
                return True
        return False


def _start_trainer(fence: Fence, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """`stdin` is a pipe that stays open as long as this process lives: the trainer leaves when it closes."""
    command = [sys.executable, "-m", "worker.trainer", fence.job_id, str(fence.epoch), fence.worker_id]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=stderr)  # noqa: S603 (our own module, ids from the record)


def _wait(trainer: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        trainer.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def _kill(trainer: subprocess.Popen[bytes]) -> None:
    if trainer.poll() is None:
        trainer.kill()
    trainer.wait()
    if trainer.stdin is not None:
        trainer.stdin.close()


def _tail(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - _TAIL_BYTES))
    text = stderr.read().decode(errors="replace").strip()
    if text:
        log.warning("trainer said: %s", text)
    return text


def _describe(status: int) -> str:
    if status < 0:
        return f"signal {signal.Signals(-status).name}"
    return f"exit status {status}"


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "retryable": True}
