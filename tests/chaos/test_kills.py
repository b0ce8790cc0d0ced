"""`kill -9` at any moment, on both stacks: the job goes on by itself and ends with the same bits."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ewc_core.specs import SupervisedSpec
from store.job_states import JobStatus
from store.queue import WakeUps
from store.unit_of_work import Database
from tests.chaos.fleet import freeze_between_writes, is_finished, job_of, kill_until_finished, printed_by, wait_for

NUM_KILLS = int(os.environ.get("EWC_TEST_KILLS", "5"))
SPEC = SupervisedSpec.model_validate(
    {
        "seed": 3,
        "network": {"hidden_sizes": [64, 64]},
        "training": {"num_epochs": max(40, 4 * NUM_KILLS), "batch_size": 32},
        "method": {"kind": "ewc", "ewc_lambda": 100.0},
        "controls": ["naive"],
        "tasks": [{"dataset": "digits", "permutation": k} for k in range(3)],
    }
)
_UNDISTURBED = """
import sys, torch
from ewc_core.consolidation.constraint import weights_sha256
from ewc_core.events import Consolidated
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import run
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
spec = SupervisedSpec.model_validate_json(sys.stdin.read())
anchors = [event.constraint.anchor for event in run(spec) if isinstance(event, Consolidated)]
print(weights_sha256(anchors[-1]))
"""


def undisturbed_sha256() -> str:
    """The final weights of the same spec, trained by `ewc_core` alone in one process."""
    return printed_by(_UNDISTURBED, SPEC.model_dump_json())


def assert_the_record_is_true(database: Database, job_id: str) -> None:
    """Every visit was committed once, events have no gap, epochs only grow, and the weights are the undisturbed ones."""
    with database.read() as work:
        job = work.jobs.get(job_id)
        events = work.events.page(job_id, limit=100_000)
        checkpoints = work.checkpoints.page(job_id).items
        epochs = [move.epoch for move in work.jobs.transitions(job_id) if move.epoch is not None]
        visits = work.switches.visits(job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error
    assert job.weights_sha256 == undisturbed_sha256()
    assert [event.seq for event in events] == list(range(1, job.last_event_seq + 1))
    assert sorted(c.visit_index for c in checkpoints) == [0, 1, 2]
    assert [event.type for event in events].count("visit.finished") == 3
    assert epochs == sorted(epochs)
    assert all(visit.status == "done" for visit in visits)


@pytest.mark.by_day("embedded")
def test_a_job_killed_at_random_moments_ends_with_the_weights_of_an_undisturbed_run(stack, database, submit, start_worker):
    job_id = submit(SPEC)
    kills = kill_until_finished(database, job_id, start_worker, num_kills=NUM_KILLS, seed=20261122)
    assert len(kills) == NUM_KILLS, f"the job finished after {len(kills)} kills; it is too short for this test"
    assert_the_record_is_true(database, job_id)


@pytest.mark.by_day("servers")
def test_two_workers_and_many_wake_ups_train_a_job_once(stack, database, submit, start_worker):
    job_id = submit(SPEC)
    workers = [start_worker(), start_worker()]
    wake_ups = WakeUps(stack.broker_url, stack.broker_dir)
    most = 0
    while not is_finished(database, job_id):
        wake_ups.publish()
        most = max(most, sum(len(worker.trainers()) for worker in workers))
        time.sleep(0.3)
    assert most == 1
    assert job_of(database, job_id).attempt == 1
    assert_the_record_is_true(database, job_id)


@pytest.mark.by_day("embedded")
def test_a_frozen_worker_that_wakes_up_after_its_lease_ran_out_changes_nothing(stack, database, submit, start_worker):
    job_id = submit(SPEC)
    frozen = start_worker()
    wait_for(lambda: (job_of(database, job_id).step or 0) > 0, seconds=60, what="the first steps")
    freeze_between_writes(frozen, database)
    other = start_worker()
    wait_for(lambda: bool(other.trainers()), seconds=60, what="the other worker to take the job over")
    frozen.signal_all(signal.SIGCONT)
    wait_for(lambda: not frozen.trainers(), seconds=20, what="the stale trainer to leave")
    wait_for(lambda: is_finished(database, job_id), seconds=120, what="the job to finish")
    assert job_of(database, job_id).attempt == 2
    assert_the_record_is_true(database, job_id)


@pytest.mark.by_day("servers")
def test_a_worker_asked_to_stop_saves_a_resume_point_and_the_next_one_goes_on(stack, database, submit, start_worker):
    job_id = submit(SPEC)
    first = start_worker()
    wait_for(lambda: (job_of(database, job_id).step or 0) > 0, seconds=60, what="the first steps")
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(timeout=30) == 0
    stopped = job_of(database, job_id)
    assert (stopped.status, stopped.status_reason) == (JobStatus.QUEUED, "worker_stopping")
    start_worker()
    wait_for(lambda: is_finished(database, job_id), seconds=120, what="the job to finish")
    assert_the_record_is_true(database, job_id)
