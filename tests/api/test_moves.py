"""cancel, pause, resume, retry: from every status, each does what the published table says or refuses."""

from __future__ import annotations

import pytest

from api.jobs.moves import Move
from store.job_states import JobStatus
from tests.api.lives import bring_to

pytestmark = pytest.mark.both_engines

LEADS_TO = {
    "queued": {"cancel": "cancelled", "pause": "paused"},
    "starting": {"cancel": "cancelling", "pause": "pausing"},
    "running": {"cancel": "cancelling", "pause": "pausing"},
    "waiting": {"cancel": "cancelled", "pause": "paused"},
    "pausing": {"cancel": "cancelling"},
    "paused": {"cancel": "cancelled", "resume": "queued"},
    "cancelling": {},
    "succeeded": {},
    "failed": {"retry": "queued"},
    "cancelled": {},
}
"""What an owner may ask for, written down once more: by status, and where it leads."""
EVERY_CASE = [(status, move) for status in LEADS_TO for move in ("cancel", "pause", "resume", "retry")]


def test_every_status_and_every_move_is_looked_at():
    assert set(EVERY_CASE) == {(status.value, move.value) for status in JobStatus for move in Move}


@pytest.mark.parametrize(("status", "move"), EVERY_CASE)
def test_a_move_leads_where_the_table_says_or_is_refused_with_the_moves_that_are_left(client, submit, database, status, move):
    job_id = submit()
    bring_to(database, job_id, JobStatus(status))
    before = client.get(f"/v1/jobs/{job_id}").json()
    assert before["status"] == status
    response = client.post(f"/v1/jobs/{job_id}/{move}")
    if move in LEADS_TO[status]:
        assert response.status_code == 202, response.text
        assert response.json()["status"] == LEADS_TO[status][move]
        assert response.json()["transitions"][-1]["reason"] == f"{move}_requested"
        return
    problem = response.json()
    assert (response.status_code, problem["code"]) == (409, "illegal_transition")
    assert problem["allowed_actions"] == list(LEADS_TO[status])
    assert problem["allowed"] == sorted(LEADS_TO[status].values())
    assert f"is {status} and cannot be " in problem["detail"]
    assert client.get(f"/v1/jobs/{job_id}").json() == before


def test_a_refused_move_is_told_in_the_words_of_who_asked(client, submit):
    job_id = submit()
    detail = client.post(f"/v1/jobs/{job_id}/resume").json()["detail"]
    said = f"job {job_id} is queued and cannot be resumed; that takes a job that is 'paused'. What this one allows: cancel, pause"
    assert detail == said


@pytest.mark.parametrize(("move", "desired"), [("cancel", "cancel"), ("pause", "pause")])
def test_the_holder_of_a_running_job_is_told_by_its_heartbeat(client, submit, database, move, desired):
    job_id = submit()
    bring_to(database, job_id, JobStatus.RUNNING)
    assert client.post(f"/v1/jobs/{job_id}/{move}").json()["desired_state"] == desired
    with database.read() as work:
        assert work.jobs.get(job_id).desired_state == desired


def test_a_paused_job_that_is_resumed_can_be_claimed_again(client, submit, database):
    job_id = submit()
    assert client.post(f"/v1/jobs/{job_id}/pause").json()["status"] == "paused"
    with database.write() as work:
        assert work.leases.claim(job_id, worker_id="wrk_1", ttl_seconds=60) is None
    assert client.post(f"/v1/jobs/{job_id}/resume").json()["status"] == "queued"
    with database.write() as work:
        assert work.leases.claim(job_id, worker_id="wrk_1", ttl_seconds=60) is not None


def test_a_retried_job_forgets_its_error_and_its_fruitless_attempts(client, submit, database):
    job_id = submit()
    bring_to(database, job_id, JobStatus.FAILED)
    job = client.post(f"/v1/jobs/{job_id}/retry").json()
    assert (job["status"], job["error"], job["finished_at"]) == ("queued", None, None)
    with database.read() as work:
        assert work.jobs.get(job_id).attempts_since_progress == 0
