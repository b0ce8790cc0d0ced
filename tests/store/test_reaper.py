"""The reaper."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from ewc_core.errors import Fenced, StoreUnavailable
from store.base import db_now
from store.blobs import stage_blob
from store.queue import WakeUps
from store.reaper import ReapReport, reap
from store.settings import StoreSettings
from store.tables import BlobRow
from store.unit_of_work import Database
from tests.backends.server_process import free_port
from tests.store.conftest import claim, execute, expire_lease, make_job

SETTINGS = StoreSettings(max_attempts_without_progress=3)


@pytest.fixture
def wake_ups(broker_dir: Path) -> Iterator[WakeUps]:
    """A filesystem broker."""
    wake_ups = WakeUps("filesystem://", broker_dir)
    yield wake_ups
    wake_ups.close()


def status_of(database, job_id: str) -> str:
    """The job's status as text."""
    with database.read() as work:
        return work.jobs.get(job_id).status.value


@pytest.mark.parametrize("status", ["starting", "running"])
def test_a_job_whose_worker_went_silent_is_queued_and_woken_again(database, held, wake_ups, broker_dir, status):
    execute(database, "UPDATE jobs SET status = :status", status=status)
    expire_lease(database, held.id)
    report = reap(database, wake_ups, settings=SETTINGS)
    assert (report.requeued, report.woken) == ((held.id,), (held.id,))
    assert len(list((broker_dir / "messages").iterdir())) == 1
    with database.read() as work:
        move = work.jobs.transitions(held.id)[-1]
        assert (move.to_status, move.reason, move.actor, move.epoch) == ("queued", "lease_expired", "reaper", 1)
    with pytest.raises(Fenced), database.fenced(held.fence):
        pass
    assert claim(database, held.id, worker_id="wrk_2").epoch == 2


def test_after_too_many_attempts_without_progress_the_worker_is_lost(database, held, wake_ups):
    for attempt in (1, 2):
        expire_lease(database, held.id)
        assert reap(database, wake_ups, settings=SETTINGS).requeued == (held.id,), attempt
        claim(database, held.id)
    expire_lease(database, held.id)
    assert reap(database, wake_ups, settings=SETTINGS).worker_lost == (held.id,)
    with database.read() as work:
        job = work.jobs.get(held.id)
    assert (job.status, job.status_reason) == ("failed", "worker_lost")
    assert (job.error["code"], job.error["retryable"]) == ("worker_lost", True)
    assert "3 times in a row" in job.error["message"]


def test_progress_starts_the_count_anew(database, held, wake_ups):
    execute(database, "UPDATE jobs SET attempts_since_progress = 3")
    with database.fenced(held.fence) as work:
        work.jobs.note_progress_made(held.id)
    expire_lease(database, held.id)
    assert reap(database, wake_ups, settings=SETTINGS).requeued == (held.id,)


@pytest.mark.parametrize(("status", "settled"), [("cancelling", "cancelled"), ("pausing", "paused")])
def test_what_was_asked_of_a_lost_worker_is_done(database, held, wake_ups, status, settled):
    execute(database, "UPDATE jobs SET status = :status, desired_state = 'pause'", status=status)
    expire_lease(database, held.id)
    report = reap(database, wake_ups, settings=SETTINGS)
    assert getattr(report, settled) == (held.id,)
    with database.read() as work:
        job = work.jobs.get(held.id)
    assert (job.status, job.desired_state) == (settled, "run")


def test_a_living_lease_and_a_finished_job_are_left_alone(database, held, wake_ups):
    finished = make_job(database)
    claim(database, finished.id)
    expire_lease(database, finished.id)
    execute(database, "UPDATE jobs SET status = 'succeeded' WHERE id = :id", id=finished.id)
    assert reap(database, wake_ups, settings=SETTINGS) == ReapReport()
    assert (status_of(database, held.id), status_of(database, finished.id)) == ("running", "succeeded")


def test_passes_at_the_same_time_settle_a_job_once(database, held, wake_ups):
    expire_lease(database, held.id)
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(lambda _: reap(database, wake_ups, settings=SETTINGS), range(6)))
    assert [report.requeued for report in reports if report.requeued] == [(held.id,)]
    with database.read() as work:
        assert [move.to_status for move in work.jobs.transitions(held.id)] == ["queued", "starting", "running", "queued"]


def test_a_queued_job_is_woken_again_with_growing_patience(database, job, wake_ups):
    assert reap(database, wake_ups, settings=SETTINGS).woken == (job.id,)
    assert reap(database, wake_ups, settings=SETTINGS).woken == ()
    execute(database, "UPDATE jobs SET woken_at = NULL")
    assert reap(database, wake_ups, settings=SETTINGS).woken == (job.id,)


def test_a_broker_that_is_down_is_reported_and_the_rest_is_still_done(database, held, job, broker_dir):
    expire_lease(database, held.id)
    wake_ups = WakeUps(f"redis://127.0.0.1:{free_port()}/0", broker_dir)
    report = reap(database, wake_ups, settings=SETTINGS)
    wake_ups.close()
    assert (report.requeued, report.woken) == ((held.id,), ())
    assert "cannot be reached" in report.broker_error
    with database.read() as work:
        assert work.queue.due_for_wake_up() == [held.id]


def test_a_database_that_is_down_is_raised(wake_ups):
    with pytest.raises(StoreUnavailable):
        reap(Database(f"postgresql+psycopg://127.0.0.1:{free_port()}/none"), wake_ups, settings=SETTINGS)


def test_leftovers_are_collected(database, wake_ups):
    stage_blob(database, b"abc", fence=None, media_type="test")
    with database.write() as work:
        work.connection.execute(update(BlobRow).values(created_at=db_now(-3700)))
        work.idempotency.put("alice", "k", request_sha256="00", status=201, body={}, headers={})
    execute(database, "UPDATE idempotency_keys SET created_at = '2020-01-01 00:00:00.000000'")
    report = reap(database, wake_ups, settings=SETTINGS)
    assert (report.num_blobs_collected, report.num_idempotency_keys_collected) == (1, 1)
