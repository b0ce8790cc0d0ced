"""A Celery process that is killed again and again, or stops listening: its worker brings it back and the job goes on."""

from __future__ import annotations

import signal
from contextlib import suppress

import psutil
import pytest

from store.job_states import JobStatus
from tests.chaos.fleet import job_of, wait_for
from tests.chaos.test_kills import SPEC

pytestmark = pytest.mark.nightly


def celery_of(worker) -> psutil.Process | None:
    """The Celery process of a worker; not its pool."""
    for child in psutil.Process(worker.process.pid).children():
        with suppress(psutil.Error):  # it has just died
            if "celery" in child.cmdline():
                return child
    return None


def test_six_kills_as_it_comes_back_and_the_job_goes_on_within_a_minute(stack, database, submit, start_worker):
    worker = start_worker()
    job_id = submit(SPEC)
    for _ in range(6):
        wait_for(lambda: celery_of(worker) is not None, seconds=60, what="Celery to come back")
        celery_of(worker).kill()
        wait_for(lambda: celery_of(worker) is None, seconds=20, what="the dead Celery to be noticed")
    wait_for(lambda: job_of(database, job_id).status is JobStatus.RUNNING, seconds=60, what="the job to go on")


def test_a_celery_that_is_stopped_before_it_takes_the_job_is_replaced(stack, database, submit, start_worker, tmp_path):
    worker = start_worker(EWC_WATCHDOG_SECONDS="2", EWC_STOP_GRACE_SECONDS="0.1")
    wait_for(lambda: " ready." in (tmp_path / "worker-0.log").read_text(), seconds=60, what="Celery to listen")
    stopped = celery_of(worker)
    stopped.send_signal(signal.SIGSTOP)
    job_id = submit(SPEC)
    wait_for(lambda: job_of(database, job_id).status is JobStatus.RUNNING, seconds=60, what="the job to go on")
    assert celery_of(worker).pid != stopped.pid


def test_a_backlog_of_short_jobs_on_two_workers_never_makes_the_watchdog_act(stack, database, submit, start_worker, tmp_path):
    short = SPEC.model_copy(update={"training": SPEC.training.model_copy(update={"num_epochs": 1}), "tasks": SPEC.tasks[:1]})
    workers = [start_worker(EWC_WATCHDOG_SECONDS="2") for _ in range(2)]
    jobs = [submit(short) for _ in range(6)]
    wait_for(
        lambda: all(job_of(database, job_id).status is JobStatus.SUCCEEDED for job_id in jobs),
        seconds=240,
        what="all jobs to finish",
    )
    assert [job_of(database, job_id).attempt for job_id in jobs] == [1] * 6
    assert len(workers) == 2
    assert not any("stopped listening" in log.read_text() for log in tmp_path.glob("worker-*.log"))
