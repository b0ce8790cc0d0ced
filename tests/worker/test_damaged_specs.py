"""A job or a task whose stored spec cannot be read fails for good, in words that show nothing of what is stored."""

from __future__ import annotations

import json

import pytest

from ewc_core.specs import SupervisedSpec
from store.job_states import JobStatus
from tests.store.conftest import execute
from tests.worker.conftest import SPEC
from worker.runner import JobRunner, Outcome

pytestmark = pytest.mark.both_engines

OTHER_SHAPES = ["[]", '{"kind": "secret"}', json.dumps({**SPEC, "tasks": "secret"})]
NO_JSON = ['{"kind": "secret', '{"kind": "secret\udcff']


def run_and_read(database, settings, claim, job_id):
    """Claim the job, run it, and return its row's status, reason, error, and its events' messages."""
    assert JobRunner(database, settings, claim(job_id)).run() is Outcome.SETTLED
    with database.read() as work:
        columns = "SELECT status, status_reason, error FROM jobs WHERE id = '%s'"
        status, reason, error = work.connection.exec_driver_sql(columns % job_id).one()
        messages = [event.message for event in work.events.page(job_id)]
    return status, reason, error if isinstance(error, dict) else json.loads(error), messages


def assert_it_failed_for_good(status, reason, error, messages):
    assert (status, reason) == (JobStatus.FAILED, "row_damaged")
    assert (error["code"], error["retryable"]) == ("row_damaged", False)
    assert "Submit the spec again as a new job" in error["message"]
    assert not [text for text in (error["message"], *messages) if "secret" in text or "/" in text]


@pytest.fixture
def job_id(database):
    with database.write() as work:
        return work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests").id


@pytest.mark.parametrize("stored", OTHER_SHAPES + NO_JSON)
def test_a_job_whose_stored_spec_cannot_be_read_fails_for_good(database, settings, claim, job_id, stored):
    if stored in NO_JSON:
        if database.engine.dialect.name != "sqlite":
            return  # JSONB takes nothing else than JSON
        as_bytes = stored.encode(errors="surrogateescape")
        execute(database, "UPDATE jobs SET spec = CAST(:spec AS TEXT) WHERE id = :id", spec=as_bytes, id=job_id)
    else:
        execute(database, "UPDATE jobs SET spec = :spec WHERE id = :id", spec=stored, id=job_id)
    assert_it_failed_for_good(*run_and_read(database, settings, claim, job_id))


@pytest.mark.parametrize(("column", "stored"), [("spec", "[7]"), ("data", '["secret"]'), ("data", '{"digests": [7]}')])
def test_a_job_with_a_task_of_another_shape_fails_for_good(database, settings, claim, job_id, column, stored):
    execute(database, f"UPDATE tasks SET {column} = :stored WHERE job_id = :id", stored=stored, id=job_id)
    assert_it_failed_for_good(*run_and_read(database, settings, claim, job_id))


@pytest.mark.parametrize("stored", ["[]", '{"cpu": '])
def test_where_the_attempt_before_ran_is_not_worth_a_job(database, settings, claim, job_id, stored):
    if stored != "[]" and database.engine.dialect.name != "sqlite":
        return
    fence = claim(job_id)
    runner = JobRunner(database, settings, fence)
    runner.stop()
    assert runner.run() is Outcome.STOPPED
    with database.write() as work:
        work.jobs.transition(job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    execute(database, "UPDATE job_attempts SET environment = :stored", stored=stored)
    runner = JobRunner(database, settings, claim(job_id))
    runner.stop()
    assert runner.run() is Outcome.STOPPED
    with database.read() as work:
        assert [warning.data["code"] for warning in work.events.warnings(job_id)] == ["environment_unknown"]
