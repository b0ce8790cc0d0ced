"""What was accepted once is trained, whatever rules have come since; and the record's spec is read once."""

from __future__ import annotations

import json

import pytest

from ewc_core.specs import JOB_SPEC
from store import records
from store.job_states import JobStatus
from tests.store.conftest import execute
from tests.store.statements import statements
from worker.runner import JobRunner, Outcome

SMALL = {"tasks": [{"dataset": "digits"}], "controls": [], "training": {"num_epochs": 1, "batch_size": 64}}


def refused_today(database, job_id):
    """Change the stored spec into one that would not be accepted."""
    with database.read() as work:
        stored = {**work.jobs.get(job_id).stored_spec, "name": "n" * 500, "colour": "red"}
    with pytest.raises(ValueError, match="colour"):
        JOB_SPEC.validate_python(stored)
    execute(database, "UPDATE jobs SET spec = :spec WHERE id = :id", spec=json.dumps(stored), id=job_id)


def test_a_job_whose_spec_would_be_refused_today_is_trained_to_its_end(database, settings, claim):
    fence = claim(**SMALL)
    refused_today(database, fence.job_id)
    runner = JobRunner(database, settings, fence)
    runner.stop()
    assert runner.run() is Outcome.STOPPED
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    assert JobRunner(database, settings, claim(fence.job_id)).run() is Outcome.SETTLED
    plain = claim(**SMALL)
    JobRunner(database, settings, plain).run()
    with database.read() as work:
        lifted, expected = work.jobs.summary(fence.job_id), work.jobs.summary(plain.job_id)
    assert lifted.status is JobStatus.SUCCEEDED
    assert lifted.weights_sha256 == expected.weights_sha256


def test_a_trainer_reads_the_spec_of_its_job_once(database, settings, claim, monkeypatch):
    reads = []
    read = records.job_spec_from_stored
    monkeypatch.setattr(records, "job_spec_from_stored", lambda document: reads.append(1) or read(document))
    fence = claim(**SMALL)
    with statements(database) as sent:
        JobRunner(database, settings, fence).run()
    assert len(reads) == 1
    selects = [statement for statement in sent if statement.startswith("SELECT") and "stored_spec" in statement]
    assert len([statement for statement in selects if "FROM jobs" in statement]) == 1
