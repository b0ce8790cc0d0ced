"""The watchdog accuses a Celery process that does not ask its broker although it could and a job waits; no other."""

from __future__ import annotations

import pytest

from ewc_core.specs import SupervisedSpec
from store.job_states import JobStatus
from tests.worker.conftest import SPEC
from worker.settings import celery_id
from worker.watchdog import Watchdog

CELERY_PID = 4711


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def look(database, settings):
    """Whether the watchdog (patience 30 s, two slots) finds Celery deaf `seconds` after it looked last."""
    clock = Clock()
    watchdog = Watchdog(settings.model_copy(update={"watchdog_seconds": 30.0}), clock=clock)
    with database.write() as work:
        for pid in (CELERY_PID, 2, 3, 4):
            work.workers.beat(celery_id(pid), hostname="host", pid=pid, queue="cpu", slots=2)
    watchdog.is_deaf(database, CELERY_PID, has_asked=True)

    def _look(seconds: float, *, has_asked: bool = False, pid: int = CELERY_PID) -> bool:
        clock.seconds += seconds
        return watchdog.is_deaf(database, pid, has_asked=has_asked)

    return _look


@pytest.fixture
def queue(database):
    """Makes a queued job; returns its id."""

    def _queue() -> str:
        with database.write() as work:
            return work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests").id

    return _queue


@pytest.fixture
def claim(database):
    """Celery claims a job."""

    def _claim(job_id: str, pid: int = CELERY_PID):
        with database.write() as work:
            return work.leases.claim(job_id, worker_id=celery_id(pid), ttl_seconds=60)

    return _claim


def test_a_celery_that_asks_for_nothing_all_the_time_beside_a_waiting_job_is_deaf(queue, look):
    queue()
    assert [look(seconds) for seconds in (0, 29, 1)] == [False, False, True]


def test_one_look_is_not_enough_however_long_the_job_has_waited(queue, look):
    queue()
    assert not look(3600)


def test_a_celery_that_has_asked_once_is_given_the_whole_time_anew(queue, look):
    queue()
    assert [look(0), look(29), look(1, has_asked=True), look(29), look(29), look(1)] == [False] * 5 + [True]


def test_without_a_waiting_job_nobody_is_deaf(queue, look, database):
    job_id = queue()
    with database.write() as work:
        work.jobs.transition(job_id, JobStatus.PAUSED, reason="paused", actor="tests")
    assert [look(0), look(30), look(3600)] == [False] * 3


def test_a_celery_with_all_slots_taken_need_not_ask_and_time_counts_from_when_one_is_free(queue, look, claim, database):
    first, second = queue(), queue()
    queue()
    claim(first)
    fence = claim(second)
    assert [look(0), look(3600)] == [False, False]
    with database.write() as work:
        work.jobs.transition(second, JobStatus.RUNNING, reason="r", actor="tests")
        work.jobs.transition(second, JobStatus.SUCCEEDED, reason="r", actor="tests")
        work.leases.release(fence)
    assert [look(0), look(29), look(1)] == [False, False, True]


def test_a_slot_that_is_free_for_a_moment_between_two_jobs_means_nothing(queue, look, claim, database):
    fences = [claim(queue()) for _ in range(2)]
    queue()
    for _ in range(5):
        with database.write() as work:
            work.leases.release(fences.pop())
        assert not look(20)
        fences.append(claim(queue()))
        assert not look(20)


def test_leases_of_another_celery_do_not_make_this_one_busy(queue, look, claim):
    queue()
    for _ in range(2):
        claim(queue(), pid=1)
    assert [look(0), look(30)] == [False, True]


def test_a_process_that_has_never_asked_may_be_starting_and_each_next_one_is_given_twice_as_long(queue, look):
    queue()
    assert [look(0, pid=2), look(59, pid=2), look(1, pid=2)] == [False, False, True]
    assert [look(60, pid=3), look(119, pid=3), look(1, pid=3)] == [False, False, True]
    assert [look(0, pid=4, has_asked=True), look(1, pid=4), look(30, pid=4)] == [False, False, True]
