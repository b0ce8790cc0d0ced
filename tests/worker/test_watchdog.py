"""The watchdog sees a queued job beside a free slot, and nothing else."""

from __future__ import annotations

import pytest

from ewc_core.specs import SupervisedSpec
from store.base import db_now
from store.tables import JobRow
from tests.worker.conftest import SPEC
from worker.settings import celery_id
from worker.watchdog import Watchdog

CELERY_PID = 4711


@pytest.fixture
def deaf(database, settings):
    """Whether Celery seems deaf to a watchdog that looks at once; a job counts as waiting after `seconds`."""

    def _deaf(seconds: float) -> bool:
        watchdog = Watchdog(settings.model_copy(update={"watchdog_seconds": seconds}))
        watchdog._quiet_until = 0.0
        return watchdog.is_deaf(database, CELERY_PID)

    return _deaf


def _queue_a_job_an_hour_ago(database) -> str:
    with database.write() as work:
        job_id = work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests").id
        work.connection.execute(JobRow.__table__.update().values(updated_at=db_now(-3600)))
    return job_id


def test_a_job_that_waits_beside_a_free_slot_means_a_deaf_celery(database, deaf):
    _queue_a_job_an_hour_ago(database)
    assert deaf(30.0)


def test_a_fresh_job_means_nothing(database, deaf):
    with database.write() as work:
        work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests")
    assert not deaf(30.0)


def test_a_busy_celery_is_not_deaf(database, deaf):
    _queue_a_job_an_hour_ago(database)
    with database.write() as work:
        held = work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests").id
        work.leases.claim(held, worker_id=celery_id(CELERY_PID), ttl_seconds=60)
    assert not deaf(30.0)


def test_a_new_watchdog_gives_celery_time_to_listen(database, settings):
    _queue_a_job_an_hour_ago(database)
    assert not Watchdog(settings).is_deaf(database, CELERY_PID)
