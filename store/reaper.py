"""The reaper: whatever died, any living process puts right what it left behind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache

from ewc_core.errors import RowDamaged, StoreUnavailable
from store.job_states import JobStatus
from store.queue import WakeUps
from store.records import ExpiredLease
from store.repositories.idempotency import COLLECTED_KEYS
from store.settings import StoreSettings
from store.trouble import Trouble
from store.unit_of_work import Database, Work

ACTOR = "reaper"
STAGED_BLOB_SECONDS = 3600.0
IDEMPOTENCY_SECONDS = 24 * 3600.0
PROCESSED_MESSAGE_SECONDS = 3600.0

_logger = logging.getLogger(__name__)
_wake_up_trouble = Trouble(_logger, "wake-ups of jobs that are due")


@dataclass(frozen=True)
class ReapReport:
    """What one pass of the reaper did. `broker_error` says why wake-ups could not be sent, if they could not."""

    requeued: tuple[str, ...] = ()
    worker_lost: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    woken: tuple[str, ...] = ()
    num_blobs_collected: int = 0
    num_idempotency_keys_collected: int = 0
    broker_error: str | None = None


def reap(database: Database, wake_ups: WakeUps, *, settings: StoreSettings) -> ReapReport:
    """One pass. Any number of processes may reap at once: each change checks again, under the job's lock, what it changes.

    Jobs with an expired lease go back to the queue, or fail as `worker_lost` after too many attempts without progress;
    those that were being cancelled or paused are cancelled or paused. While jobs wait for a worker too long, the workers
    are woken again. Staged blobs over an hour old and idempotency keys over a day old are deleted.

    Raises:
        StoreUnavailable: the database cannot be used. A broker that cannot be reached is reported instead.
    """
    settled = _settle_expired_leases(database, settings.max_attempts_without_progress)
    woken, broker_error = _wake_due_jobs(database, wake_ups)
    num_blobs = _collect_blobs(database)
    num_keys = _collect_idempotency_keys(database)
    wake_ups.collect_processed(older_than_seconds=PROCESSED_MESSAGE_SECONDS)
    return ReapReport(
        requeued=tuple(settled[JobStatus.QUEUED]),
        worker_lost=tuple(settled[JobStatus.FAILED]),
        paused=tuple(settled[JobStatus.PAUSED]),
        cancelled=tuple(settled[JobStatus.CANCELLED]),
        woken=tuple(woken),
        num_blobs_collected=num_blobs,
        num_idempotency_keys_collected=num_keys,
        broker_error=broker_error,
    )


def _settle_expired_leases(database: Database, max_attempts: int) -> dict[JobStatus, list[str]]:
    settled: dict[JobStatus, list[str]] = {status: [] for status in JobStatus}
    with database.read() as work:
        expired = work.leases.expired()
    for lease in expired:
        try:
            with database.write() as work:
                # The holder may have come back, or the job may have moved on, since the list was read.
                if work.leases.revoke(lease) and work.jobs.standing(lease.job_id).status is lease.status:
                    settled[_settle(work, lease, max_attempts)].append(lease.job_id)
        except RowDamaged as error:  # the other jobs go on
            _say_damaged(lease.job_id, str(error))
    return settled


@cache
def _say_damaged(job_id: str, why: str) -> None:
    """Once per process, not with every pass."""
    _logger.error("job %s cannot be settled: %s", job_id, why)


def _settle(work: Work, lease: ExpiredLease, max_attempts: int) -> JobStatus:
    to, reason = _outcome(lease, max_attempts)
    error = None
    if to is JobStatus.FAILED:
        error = {
            "code": "worker_lost",
            "message": f"the worker was lost {lease.attempts_since_progress} times in a row without any progress between",
            "param": None,
            "retryable": True,
        }
    work.jobs.transition(lease.job_id, to, reason=reason, actor=ACTOR, epoch=lease.epoch, error=error)
    _logger.warning("job %s: lease epoch %d expired while %s; now %s", lease.job_id, lease.epoch, lease.status.value, to.value)
    return to


def _outcome(lease: ExpiredLease, max_attempts: int) -> tuple[JobStatus, str]:
    if lease.status is JobStatus.CANCELLING:
        return JobStatus.CANCELLED, "cancelled"
    if lease.status is JobStatus.PAUSING:
        return JobStatus.PAUSED, "paused"
    if lease.attempts_since_progress >= max_attempts:
        return JobStatus.FAILED, "worker_lost"
    return JobStatus.QUEUED, "lease_expired"


def _wake_due_jobs(database: Database, wake_ups: WakeUps) -> tuple[list[str], str | None]:
    """One look is enough for all of them: whoever claims a job sends the next look while there is more for a free slot."""
    with database.read() as work:
        due = work.queue.due_for_wake_up()
    if not due:
        return [], None
    try:
        wake_ups.publish()
    except StoreUnavailable as error:
        _wake_up_trouble.is_met(error.__cause__ if isinstance(error.__cause__, Exception) else error)
        return [], str(error)
    with database.write() as work:
        work.queue.mark_woken(due)
    _wake_up_trouble.is_over()
    return due, None


def _collect_blobs(database: Database) -> int:
    """In transactions that are all short: on SQLite each of them keeps every other writer waiting."""
    num_collected = 0
    while True:
        with database.write() as work:
            num = work.blobs.collect_staged(older_than_seconds=STAGED_BLOB_SECONDS)
        if num is None:
            return num_collected
        num_collected += num


def _collect_idempotency_keys(database: Database) -> int:
    num_collected = 0
    while True:
        with database.write() as work:
            num = work.idempotency.collect(older_than_seconds=IDEMPOTENCY_SECONDS)
        num_collected += num
        if num < COLLECTED_KEYS:
            return num_collected
