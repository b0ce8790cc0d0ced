"""How a supervisor settles what its trainer left, with real trainer processes."""

from __future__ import annotations

import sys

import pytest

from ewc_core.specs import SupervisedSpec
from store.job_states import JobStatus
from tests.worker.conftest import SPEC
from worker import exit_codes, supervisor
from worker.supervisor import Supervisor

pytestmark = pytest.mark.both_engines


@pytest.fixture
def job_id(database):
    with database.write() as work:
        return work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests").id


@pytest.fixture
def attend(database, settings, job_id, monkeypatch):
    """Attend to the job with a trainer that runs `code` instead of training."""
    monkeypatch.setenv("EWC_DATABASE_URL", settings.database_url)

    def _attend(code: str | None = None, **changes):
        if code is not None:
            start = supervisor.subprocess.Popen

            def popen(command, **options):
                return start([sys.executable, "-c", code, *command[3:]], **options)

            monkeypatch.setattr(supervisor.subprocess, "Popen", popen)
        chosen = settings.model_copy(update=changes)
        with database.write() as work:
            fence = work.leases.claim(job_id, worker_id="worker-1", ttl_seconds=60)
        assert fence is not None
        Supervisor(database, chosen, worker_id="worker-1", stopping=lambda: False).attend(fence)
        with database.read() as work:
            return work.jobs.get(job_id)

    return _attend


def _leave(status: int) -> str:
    """Code that leaves as a trainer does of its own accord."""
    return f"import os; from worker.exit_codes import as_said; os.write(0, as_said({status})); os._exit({status})"


def test_a_real_trainer_finishes_the_job_and_its_lease_is_released(database, attend, job_id):
    assert attend().status is JobStatus.SUCCEEDED
    with database.read() as work:
        assert work.leases.get(job_id).worker_id is None


def test_a_trainer_that_crashes_at_the_same_place_twice_fails_the_job_for_good_and_its_last_words_stay_in_the_log(attend, caplog):
    job = attend("import sys; print('ValueError: the cat sat on /srv/keyboard', file=sys.stderr);" + _leave(exit_codes.CRASHED))
    assert (job.status, job.attempt) == (JobStatus.FAILED, 2)
    assert (job.error["code"], job.error["retryable"]) == ("trainer_crashed", False)
    assert "(ValueError)" in job.error["message"]
    assert "cat" not in job.error["message"]
    assert f"job {job.id}: the trainer said: ValueError: the cat sat on /srv/keyboard" in caplog.text


def test_a_trainer_that_is_always_killed_fails_the_job_as_worker_lost(attend):
    job = attend("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", max_attempts_without_progress=3)
    assert (job.status, job.attempt, job.error["code"]) == (JobStatus.FAILED, 3, "worker_lost")
    assert "SIGKILL" in job.error["message"]


def test_a_trainer_that_claims_to_have_settled_a_running_job_has_not(attend):
    job = attend("import os; os._exit(0)")
    assert (job.status, job.attempt, job.error["code"]) == (JobStatus.FAILED, 2, "trainer_crashed")


@pytest.mark.parametrize("status", [1, exit_codes.NO_RECORD_OR_ROOM, exit_codes.FENCED, exit_codes.STOPPED, exit_codes.ORPHANED])
def test_code_of_a_user_that_leaves_with_any_status_is_a_crash_and_said_to_be_its_doing(database, attend, job_id, status):
    job = attend(f"import os; os._exit({status})")
    assert (job.status, job.attempt, job.error["code"]) == (JobStatus.FAILED, 2, "trainer_crashed")
    assert f"(the job's own code ended its process with exit status {status})" in job.error["message"]
    with database.read() as work:
        assert work.leases.get(job_id).worker_id is None


def test_a_fenced_trainer_leaves_the_job_alone(attend):
    job = attend(_leave(exit_codes.FENCED))
    assert (job.status, job.attempt) == (JobStatus.STARTING, 1)


def test_a_trainer_that_ignores_a_cancel_is_killed_after_the_grace(database, attend, job_id):
    cancel = (
        "import sys, time\n"
        "from store.unit_of_work import Database\n"
        "import os\n"
        "with Database(os.environ['EWC_DATABASE_URL']).write() as work:\n"
        "    work.jobs.transition(sys.argv[1], 'cancelling', reason='requested', actor='tests')\n"
        "    work.jobs.set_desired_state(sys.argv[1], 'cancel')\n"
        "time.sleep(600)\n"
    )
    job = attend(cancel, heartbeat_seconds=0.1, stop_grace_seconds=0.2)
    assert job.status is JobStatus.CANCELLED


def test_a_trainer_that_writes_nothing_is_killed_and_replaced(attend):
    job = attend("import time; time.sleep(600)", heartbeat_seconds=0.05, stall_seconds=0.2, max_attempts_without_progress=2)
    assert (job.attempt, job.error["code"]) == (2, "worker_lost")


def test_an_unreachable_record_is_not_the_jobs_fault(attend):
    job = attend(_leave(exit_codes.NO_RECORD_OR_ROOM), max_attempts_without_progress=1)
    assert (job.status, job.status_reason, job.attempts_since_progress) == (JobStatus.QUEUED, "record_unavailable", 0)


def test_a_replay_file_that_finds_no_room_is_not_the_jobs_fault(attend):
    job = attend("import os, signal; os.kill(os.getpid(), signal.SIGBUS)", max_attempts_without_progress=1)
    assert (job.status, job.status_reason, job.attempts_since_progress) == (JobStatus.QUEUED, "record_unavailable", 0)
