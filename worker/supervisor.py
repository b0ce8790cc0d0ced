"""The supervisor of a claimed job: runs the trainer as a child process, keeps the lease alive, settles crashes."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO, Any

from ewc_core.errors import Fenced, StoreUnavailable
from store.job_states import HELD, RECORD_UNAVAILABLE, DesiredState, JobStatus
from store.records import Fence, JobOrders, JobStanding
from store.unit_of_work import Database, Work
from worker import exit_codes
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.25
_TAIL_BYTES = 4096
_MAX_CRASHES_WITHOUT_PROGRESS = 2
_ERROR_LINE = re.compile(r"(?:\w+\.)*(?P<type>\w*(?:Error|Exception|Interrupt|Exit|Warning))(?::|$)")


class Supervisor:
    """Attends to one job at a time, from the claim of its lease until the lease is given up."""

    def __init__(self, database: Database, settings: WorkerSettings, *, worker_id: str, stopping: Callable[[], bool]) -> None:
        self._database = database
        self._settings = settings
        self._worker_id = worker_id
        self._stopping = stopping
        self._num_crashes = 0

    def attend(self, fence: Fence) -> None:
        """Train the job until it rests: finished, waiting, paused, or left to another worker."""
        held: Fence | None = fence
        while held is not None:
            held = self._train_once(held)

    def _train_once(self, fence: Fence) -> Fence | None:
        """Run one trainer to its end. Returns the lease under which the next one is to go on at once, if one is."""
        with _file_for_last_words() as stderr:
            trainer, ours = _start_trainer(fence, stderr)
            with ours:
                try:
                    self._watch(trainer, fence)
                finally:
                    _kill(trainer)
                status, was_said = trainer.returncode, _said(ours)
            last_words = _last_words(fence, stderr)
            if status >= 0 and was_said != exit_codes.as_said(status):
                last_words = last_words or f" (the job's own code ended its process with exit status {status})"
                status = exit_codes.CRASHED
            if status == -signal.SIGBUS:  # a page of a replay's file that finds no room on the disk kills whoever writes it
                log.warning("job %s: trainer left with SIGBUS: the disk of its replay is full", fence.job_id)
                status = exit_codes.NO_RECORD_OR_ROOM
            return self._settle(fence, status, last_words)

    def _watch(self, trainer: subprocess.Popen[bytes], fence: Fence) -> None:
        """Keep the lease alive while the trainer runs; end it when the worker stops, its owner says so, or it hangs."""
        next_beat = time.monotonic() + self._settings.heartbeat_seconds
        kill_at: float | None = None
        written = _Written()
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
                orders = self._beat(fence)
                if isinstance(orders, Fenced):
                    return
                if orders is not None:
                    if orders.desired_state != DesiredState.RUN and kill_at is None:
                        kill_at = now + self._settings.stop_grace_seconds
                    if written.seconds_since_change(orders.version) > self._settings.stall_seconds:
                        log.warning("job %s: the trainer has written nothing for a long time and is killed", fence.job_id)
                        return
            _wait(trainer, _POLL_SECONDS)

    def _beat(self, fence: Fence) -> JobOrders | Fenced | None:
        """Extend the lease. Returns the orders; or that another worker has taken it over; or None if nobody can tell now."""
        try:
            with self._database.write() as work:
                work.leases.extend(fence, ttl_seconds=self._settings.lease_seconds)
                return work.jobs.orders(fence.job_id)
        except Fenced as fenced:
            log.warning("job %s: epoch %d is stale; its trainer is killed", fence.job_id, fence.epoch)
            return fenced
        except StoreUnavailable as error:
            log.warning("job %s: heartbeat failed (%s); trying again", fence.job_id, error)
            return None

    def _settle(self, fence: Fence, status: int, last_words: str) -> Fence | None:
        """Move the job on according to the trainer's exit status, and claim it again if the next trainer is to go on at once.

        In one transaction: the job keeps its slot, and nobody can come between.
        """
        if status == exit_codes.FENCED:
            return None
        if status != exit_codes.SETTLED:
            log.warning("job %s: trainer left with %s", fence.job_id, _describe(status))
        try:
            with self._database.fenced(fence) as work:
                job = work.jobs.standing(fence.job_id, lock=True)
                again = False
                # Code of users can end the process with any status: only the record says whether the job is settled.
                if status != exit_codes.SETTLED or job.status in HELD:
                    again = self._settle_crash(work, job, fence, status, last_words)
                work.leases.release(fence)
                if not again or self._stopping():
                    return None
                return work.leases.claim(job.id, worker_id=self._worker_id, ttl_seconds=self._settings.lease_seconds)
        except Fenced:
            return None

    def _settle_crash(self, work: Work, job: JobStanding, fence: Fence, status: int, last_words: str) -> bool:
        def move(to: JobStatus, reason: str, error: dict[str, Any] | None = None) -> None:
            work.jobs.transition(job.id, to, reason=reason, actor=self._worker_id, epoch=fence.epoch, error=error)

        if job.status == JobStatus.CANCELLING:
            move(JobStatus.CANCELLED, "cancelled")
        elif job.status == JobStatus.PAUSING:
            move(JobStatus.PAUSED, "paused")
        elif job.status in (JobStatus.STARTING, JobStatus.RUNNING):
            return self._settle_running(work, job, fence, status, last_words)
        return False

    def _settle_running(self, work: Work, job: JobStanding, fence: Fence, status: int, last_words: str) -> bool:
        """Queue the job again, or fail it when it cannot be helped. Returns whether to claim it again at once."""
        limit = self._settings.max_attempts_without_progress
        crashed = status in (exit_codes.CRASHED, exit_codes.SETTLED)
        if crashed:
            self._num_crashes = 1 if job.attempts_since_progress == 1 else self._num_crashes + 1
        if crashed and self._num_crashes >= _MAX_CRASHES_WITHOUT_PROGRESS:
            message = (
                f"the trainer crashed twice at the same place{last_words}; the worker's log has the cause, under this job's id"
            )
            error: dict[str, Any] | None = {"code": "trainer_crashed", "message": message, "retryable": False}
        elif status == exit_codes.NO_RECORD_OR_ROOM:
            work.jobs.note_progress_made(job.id)  # the job is not to blame: this attempt does not count
            error = None
        elif status != exit_codes.STOPPED and job.attempts_since_progress >= limit:
            message = f"{limit} attempts in a row made no progress; the last ended with {_describe(status)}{last_words}"
            error = {"code": "worker_lost", "message": message, "retryable": True}
        else:
            error = None
        to = JobStatus.QUEUED if error is None else JobStatus.FAILED
        reason = _REASONS.get(status, "trainer_lost") if error is None else str(error["code"])
        work.jobs.transition(job.id, to, reason=reason, actor=self._worker_id, epoch=fence.epoch, error=error)
        return error is None and status not in _REASONS


_REASONS = {exit_codes.STOPPED: "worker_stopping", exit_codes.NO_RECORD_OR_ROOM: RECORD_UNAVAILABLE}
"""Why a job goes back to the queue without being claimed again at once."""


class _Written:
    """When a job's row last changed, as seen by one process."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._since = time.monotonic()

    def seconds_since_change(self, version: int) -> float:
        """Seconds since the version was first seen."""
        if version != self._version:
            self._version, self._since = version, time.monotonic()
        return time.monotonic() - self._since


def _start_trainer(fence: Fence, stderr: IO[bytes]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The trainer, and our end of its standard input, which stays open as long as this process lives: the trainer leaves when
    it closes."""
    command = [sys.executable, "-m", "worker.trainer", fence.job_id, str(fence.epoch), fence.worker_id]
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return subprocess.Popen(command, stdin=theirs.fileno(), stderr=stderr), ours  # noqa: S603 (our own module, ids from the record)
        except BaseException:
            ours.close()
            raise


def _said(ours: socket.socket) -> bytes:
    """What the trainer said before it left: one byte, or nothing. A child that it left behind may still hold its end."""
    ours.setblocking(False)
    try:
        return ours.recv(2)
    except OSError:
        return b""


def _wait(trainer: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        trainer.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return


def _kill(trainer: subprocess.Popen[bytes]) -> None:
    if trainer.poll() is None:
        trainer.kill()
    trainer.wait()


def _file_for_last_words() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        log.warning("what the trainer says is not kept: %s", error)
        return open(os.devnull, "w+b")


def _last_words(fence: Fence, stderr: IO[bytes]) -> str:
    """The type of the exception that ended the trainer, if one did. What it said goes into the log: it names paths and code."""
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - _TAIL_BYTES))
    text = stderr.read().decode(errors="replace").strip()
    if not text:
        return ""
    for line in text.splitlines():
        log.warning("job %s: the trainer said: %s", fence.job_id, line)
    error = _ERROR_LINE.match(text.splitlines()[-1])
    return "" if error is None else f" ({error['type']})"


def _describe(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    named = {number.value: number.name for number in signal.Signals}
    return f"signal {named.get(-status, -status)}"
