"""Looking for work: whoever looks claims the job that comes first, and sends the next look while there is more to claim."""

from __future__ import annotations

import logging
from functools import cache

from ewc_core.errors import RowDamaged, StoreUnavailable
from store.queue import WakeUps
from store.records import Fence
from store.unit_of_work import Database

_logger = logging.getLogger(__name__)

PASSED_ON_SECONDS = 10.0
"""For so long after a job was woken those that have no room for it pass the look on; then the reaper sends another."""


def claim_next(database: Database, *, worker_id: str, ttl_seconds: float) -> Fence | None:
    """Claim the job that comes first of those that are due and that this worker has room for; None without any.

    A look that finds nothing takes no lock. A job whose row is damaged is passed over.

    Raises:
        StoreUnavailable: the database cannot be used.
        RowDamaged: the worker's own row is damaged.
    """
    with database.read() as work:
        if not work.queue.has_work_for(worker_id):
            return None
    passed_over: list[str] = []
    while True:
        chosen: str | None = None
        try:
            with database.write() as work:
                chosen = work.queue.choose(worker_id, passed_over=passed_over)
                if chosen is None:
                    return None
                return work.leases.claim(chosen, worker_id=worker_id, ttl_seconds=ttl_seconds)
        except RowDamaged as error:
            if chosen is None:
                raise
            passed_over.append(chosen)
            _say_damaged(chosen, str(error))


def pass_on(database: Database, wake_ups: WakeUps, *, has_claimed: bool) -> bool:
    """Send a look if a job is due that some living worker has room for; whether it was sent.

    To be called by whoever has looked: after a claim, so that one look fills every free slot; and without one, because
    the look may have been meant for another worker. Then only for jobs that were woken lately: a worker that seems to have
    room may be dead. What cannot be sent now is sent by `remind`, or by the reaper.
    """
    try:
        with database.read() as work:
            is_due = work.queue.has_work_for_anybody(woken_within_seconds=None if has_claimed else PASSED_ON_SECONDS)
        if is_due:
            wake_ups.publish()
    except (StoreUnavailable, RowDamaged) as error:
        _logger.warning("the next wake-up will be sent later: %s", error)
        return False
    return is_due


def remind(database: Database, wake_ups: WakeUps, *, worker_id: str) -> bool:
    """Send a look if a job is due that this worker has room for, however lately one was sent; whether it was sent.

    To be called by each worker again and again: whoever should have looked may have died or lost the record just then, and
    the reaper's patience grows with every look that nobody heeds.

    Raises:
        StoreUnavailable: the database or the broker cannot be used.
    """
    with database.read() as work:
        is_due = work.queue.has_work_for(worker_id)
    if is_due:
        wake_ups.publish()
    return is_due


@cache
def _say_damaged(job_id: str, why: str) -> None:
    """Once per process, not with every look."""
    _logger.error("job %s cannot be claimed: %s", job_id, why)
