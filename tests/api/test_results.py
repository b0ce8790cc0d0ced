"""What jobs without tasks have found."""

from __future__ import annotations

import pytest

from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, bring_to, find

FOUND = {"rules": [{"rule": "ewc", "half_life": 12.5}], "num_repeats": 2}


@pytest.fixture
def job_id(client) -> str:
    return client.post("/v1/jobs", json=ASSOCIATION).json()["id"]


def test_a_finished_job_shows_what_it_has_found(client, database, job_id):
    find(database, job_id, FOUND)
    result = client.get(f"/v1/jobs/{job_id}/result").json()
    assert (result["object"], result["job_id"], result["kind"], result["body"]) == ("result", job_id, "association", FOUND)
    assert result["created_at"]


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.FAILED])
def test_a_job_that_has_found_nothing_says_so_and_why(client, database, job_id, status):
    bring_to(database, job_id, status)
    response = client.get(f"/v1/jobs/{job_id}/result")
    assert (response.status_code, response.json()["code"], response.json()["job_status"]) == (404, "no_result", status.value)
    assert response.json()["status"] == 404


def test_a_supervised_job_has_scores_instead_of_a_result(client, submit):
    response = client.get(f"/v1/jobs/{submit()}/result")
    assert (response.status_code, response.json()["code"]) == (409, "wrong_job_kind")
    assert "evaluations/matrix" in response.json()["detail"]


def test_a_result_of_another_owner_is_not_found(caller, database, job_id):
    find(database, job_id, FOUND)
    response = caller().get(f"/v1/jobs/{job_id}/result")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
