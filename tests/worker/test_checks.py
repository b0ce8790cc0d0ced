"""Checks as workers do them, and jobs that are too large for them."""

from __future__ import annotations

import pytest

from ewc_core.specs import JOB_SPEC, CheckSpec
from store.job_states import JobStatus
from tests.ewc_core.checking.test_run import ASSOCIATION, CATCH
from tests.worker.conftest import SPEC
from worker.runner import JobRunner, Outcome
from worker.settings import machine_bytes

pytestmark = pytest.mark.both_engines


def _run(database, settings, fence):
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    with database.read() as work:
        return work.jobs.get(fence.job_id)


def _checked(database, settings, claim, **changes):
    with database.write() as work:
        job = work.jobs.create(CheckSpec.model_validate({"kind": "check", "job": {**SPEC, **changes}}), owner="tests")
    done = _run(database, settings, claim(job.id))
    assert (done.status, done.error) == (JobStatus.SUCCEEDED, None)
    with database.read() as work:
        return work.results.of_jobs([job.id])[job.id].body


def test_a_check_leaves_what_a_job_would_take_and_what_is_wrong_with_it(database, settings, claim):
    body = _checked(database, settings, claim)
    assert (body["is_runnable"], body["mistakes"]) == (True, [])
    assert body["estimate"]["num_parameters"] == 65 * 16 + 17 * 10
    tasks = [{"kind": "plain", "dataset": {"kind": "arrays", "path": f"{name}.npz"}} for name in ("a", "b")]
    found = _checked(database, settings, claim, tasks=tasks)
    assert [mistake["code"] for mistake in found["mistakes"]] == ["dataset_unavailable"] * 2


def test_a_check_says_what_the_operator_allows(database, settings, claim):
    small = settings.model_copy(update={"max_job_memory_bytes": 2**20})
    (mistake,) = _checked(database, small, claim)["mistakes"]
    assert mistake["code"] == "job_too_large"


@pytest.mark.parametrize("bound", ["max_job_memory_bytes", "max_job_disk_bytes"])
def test_a_job_that_would_take_more_than_one_may_fails_before_its_first_step(database, settings, claim, bound):
    small = settings.model_copy(update={bound: 1000})
    job = _run(database, small, claim())
    assert (job.status, job.error["code"], job.error["field"]) == (JobStatus.FAILED, "job_too_large", "network")
    with database.read() as work:
        assert work.jobs.summary(job.id).step is None


@pytest.mark.parametrize("spec", [CATCH, ASSOCIATION], ids=["agents", "association"])
def test_what_else_would_take_too_much_fails_before_it_begins(database, settings, claim, spec):
    with database.write() as work:
        job = work.jobs.create(JOB_SPEC.validate_python(spec), owner="tests")
    done = _run(database, settings.model_copy(update={"max_job_memory_bytes": 1000}), claim(job.id))
    assert done.error["code"] == "job_too_large"


def test_a_job_under_way_goes_on_under_the_limits_that_it_began_with(database, settings, claim):
    fence = claim()
    runner = JobRunner(database, settings, fence)
    runner.stop()
    assert runner.run() is Outcome.STOPPED
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    small = settings.model_copy(update={"max_job_memory_bytes": 1000})
    assert _run(database, small, claim(fence.job_id)).status is JobStatus.SUCCEEDED


def test_a_container_has_what_its_control_group_says(tmp_path):
    version_2, version_1 = tmp_path / "memory.max", tmp_path / "limit_in_bytes"
    whole = machine_bytes([version_2, version_1])
    assert whole > 2**28
    version_2.write_text("max\n")
    assert machine_bytes([version_2, version_1]) == whole
    version_1.write_text(f"{2**27}\n")
    assert machine_bytes([version_2, version_1]) == 2**27
