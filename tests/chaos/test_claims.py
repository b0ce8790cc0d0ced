"""Which job real workers take: whatever lies in the broker, what is due first; and short work never behind training."""

from __future__ import annotations

import base64
import json

import pytest
from redis import Redis

from ewc_core.specs import AnalysisSpec
from store.job_states import FINISHED, JobStatus
from store.queue import CPU_QUEUE, WAKE_UP
from tests.chaos.fleet import is_finished, job_of, wait_for
from tests.chaos.test_kills import SPEC

SHORT = SPEC.model_copy(update={"training": SPEC.training.model_copy(update={"num_epochs": 1}), "tasks": SPEC.tasks[:1]})
LONG = SPEC.model_copy(update={"training": SPEC.training.model_copy(update={"num_epochs": 5000})})


def put_a_message_of_version_0_2(stack, job_id: str) -> None:
    """A wake-up that names a job, as version 0.2.0 sent it."""
    message = {
        "body": base64.b64encode(json.dumps([[job_id], {}, {}]).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"lang": "py", "task": WAKE_UP, "id": job_id},
        "properties": {
            "delivery_tag": job_id,
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": CPU_QUEUE},
        },
    }
    if stack.name == "embedded":
        (stack.broker_dir / "messages").mkdir(parents=True, exist_ok=True)
        (stack.broker_dir / "messages" / f"0_{job_id}.{CPU_QUEUE}.msg").write_text(json.dumps(message))
    else:
        with Redis.from_url(stack.broker_url) as client:
            client.lpush(CPU_QUEUE, json.dumps(message))


def test_old_messages_are_looks_and_a_question_is_answered_while_a_job_trains(stack, database, submit, start_worker, tmp_path):
    for _ in range(20):
        with database.write() as work:
            gone = work.jobs.create(SHORT, owner="tests").id
            work.jobs.transition(gone, JobStatus.CANCELLED, reason="cancel_requested", actor="tests")
        put_a_message_of_version_0_2(stack, gone)
    training, waiting = submit(LONG), submit(SHORT)
    start_worker()
    wait_for(lambda: job_of(database, training).status is JobStatus.RUNNING, seconds=90, what="the first job to be trained")
    question = submit(AnalysisSpec.model_validate({"kind": "analysis", "job_id": training, "question": {"kind": "capacity"}}))
    wait_for(lambda: is_finished(database, question), seconds=90, what="the question to be answered")
    assert "has no visit finished" in job_of(database, question).error["message"]
    assert job_of(database, training).status is JobStatus.RUNNING
    assert job_of(database, waiting).attempt == 0
    assert "set aside" not in (tmp_path / "worker-0.log").read_text()


@pytest.mark.nightly
def test_what_a_dead_worker_or_a_dead_trainer_left_is_taken_before_the_backlog(stack, database, submit, start_worker):
    lost = submit(LONG)
    first = start_worker()
    wait_for(lambda: (job_of(database, lost).step or 0) > 0, seconds=90, what="the first steps")
    backlog = [submit(SHORT) for _ in range(10)]
    first.trainers()[0].kill()
    wait_for(lambda: job_of(database, lost).attempt == 2, seconds=30, what="the job to go on")
    assert {job_of(database, job_id).attempt for job_id in backlog} == {0}
    start_worker()
    wait_for(
        lambda: job_of(database, backlog[0]).status in FINISHED, seconds=90, what="the other worker to begin with the backlog"
    )
    first.kill_all()
    wait_for(lambda: job_of(database, lost).attempt == 3, seconds=60, what="the other worker to take the job over")
    assert job_of(database, backlog[-1]).attempt == 0


@pytest.mark.nightly
def test_a_look_that_a_busy_worker_is_handed_reaches_the_one_with_a_free_slot(stack, database, submit, start_worker):
    busy = submit(LONG)
    start_worker()
    wait_for(lambda: job_of(database, busy).status is JobStatus.RUNNING, seconds=90, what="the first worker to be busy")
    start_worker(EWC_WORKER_LABELS="free", EWC_WORKER_SLOTS="3")
    wait_for(lambda: _num_workers(database) == 2, seconds=60, what="the second worker")
    others = [submit(LONG) for _ in range(3)]
    wait_for(
        lambda: all(job_of(database, job_id).status is JobStatus.RUNNING for job_id in others),
        seconds=120,
        what="every slot to be taken",
    )


def _num_workers(database) -> int:
    with database.read() as work:
        return len(work.workers.alive())
