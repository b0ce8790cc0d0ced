"""Questions about what a job has learned."""

from __future__ import annotations

import pytest

from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, bring_to, find, finish_visit

OVERLAP = {"kind": "overlap", "first_task": 0, "second_task": 1}
CAPACITY = {"kind": "capacity"}
GAMES = {
    "kind": "reinforcement",
    "network": {"kind": "mlp"},
    "agent": {"preset": "small"},
    "method": {"kind": "ewc", "ewc_lambda": 10.0},
    "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": number} for number in (1, 2)],
    "schedule": {"kind": "rounds", "num_steps": 100},
}


@pytest.fixture
def job_id(submit, database) -> str:
    """A job in its second visit: its first task is consolidated."""
    job_id = submit()
    bring_to(database, job_id, JobStatus.RUNNING)
    finish_visit(database, job_id, 0)
    return job_id


@pytest.fixture
def learned(job_id, database) -> str:
    """The same job with both of its tasks consolidated."""
    finish_visit(database, job_id, 1)
    return job_id


def _ask(client, job_id, question, **headers):
    return client.post(f"/v1/jobs/{job_id}/analyses", json=question, headers=headers)


def test_a_question_becomes_a_queued_job_and_wakes_a_worker(client, learned, settings):
    before = sum(path.is_file() for path in settings.broker_dir.rglob("*"))
    response = _ask(client, learned, {**OVERLAP, "num_examples": 100, "name": "shared?", "seed": 7})
    assert response.status_code == 202
    job = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["object"], job["status"], job["name"]) == ("job", "queued", "shared?")
    spec = job["spec"]
    assert (spec["kind"], spec["job_id"], spec["seed"]) == ("analysis", learned, 7)
    assert spec["question"] == {**OVERLAP, "at_visit": None, "num_examples": 100}
    assert sum(path.is_file() for path in settings.broker_dir.rglob("*")) > before


def test_one_idempotency_key_asks_once(client, learned):
    first, again = (_ask(client, learned, CAPACITY, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(client.get(f"/v1/jobs/{learned}/analyses").json()["data"]) == 1


def test_analyses_are_listed_newest_first_with_what_they_have_found(client, learned, submit, database):
    ids = [_ask(client, learned, question).json()["id"] for question in (OVERLAP, CAPACITY, {"kind": "perturbation"})]
    submit()  # any other job of the owner
    find(database, ids[1], {"overall": 0.25})
    body = client.get(f"/v1/jobs/{learned}/analyses").json()
    assert [one["id"] for one in body["data"]] == ids[::-1]
    assert [one["question"]["kind"] for one in body["data"]] == ["perturbation", "capacity", "overlap"]
    assert [one["status"] for one in body["data"]] == ["queued", "succeeded", "queued"]
    assert [one["result"] and (one["result"]["kind"], one["result"]["body"]) for one in body["data"]] == [
        None, ("capacity", {"overall": 0.25}), None,
    ]  # fmt: skip
    assert {one["job_id"] for one in body["data"]} == {learned}
    page = client.get(f"/v1/jobs/{learned}/analyses", params={"limit": 2}).json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == (ids[:0:-1], True)
    rest = client.get(f"/v1/jobs/{learned}/analyses", params={"limit": 2, "after": page["last_id"]}).json()
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == (ids[:1], False)


def test_analyses_of_other_jobs_and_owners_are_not_listed(client, caller, learned, submit, database):
    other = submit()
    finish_visit(database, other, 0)
    _ask(client, other, CAPACITY)
    assert client.get(f"/v1/jobs/{learned}/analyses").json()["data"] == []
    assert caller().get(f"/v1/jobs/{learned}/analyses").status_code == 404


@pytest.mark.parametrize(
    ("question", "status", "code", "pointer"),
    [
        (OVERLAP, 409, "not_learned", None),
        ({"kind": "perturbation", "task": 1}, 409, "not_learned", None),
        ({**OVERLAP, "second_task": 2}, 422, "invalid_spec", "second_task"),
        ({**OVERLAP, "first_task": 9}, 422, "invalid_spec", "first_task"),
        ({"kind": "perturbation", "task": 2}, 422, "invalid_spec", "task"),
        ({**OVERLAP, "second_task": 0, "at_visit": 1}, 409, "not_learned", None),
        ({**OVERLAP, "second_task": 0, "at_visit": 2}, 422, "invalid_spec", "at_visit"),
        ({"kind": "perturbation", "sigmas": [-1.0]}, 422, "invalid_request", "sigmas/0"),
        ({"kind": "overlap", "sigmas": [1.0]}, 422, "invalid_request", "sigmas"),
        ({"kind": "mood"}, 422, "invalid_request", "kind"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_on_both_ways_in(client, job_id, question, status, code, pointer):
    ways = [
        ("", _ask(client, job_id, question)),
        ("question/", client.post("/v1/jobs", json={"kind": "analysis", "job_id": job_id, "question": question})),
    ]
    for prefix, response in ways:
        assert (response.status_code, response.json()["code"]) == (status, code), response.text
        if pointer is not None:
            assert [item["pointer"] for item in response.json()["errors"]] == [f"/{prefix}{pointer}"]
    assert client.get(f"/v1/jobs/{job_id}/analyses").json()["data"] == []


def test_a_question_about_a_finished_task_is_taken_while_the_job_runs(client, job_id):
    assert _ask(client, job_id, {"kind": "perturbation", "task": 0}).status_code == 202
    assert _ask(client, job_id, {**OVERLAP, "second_task": 0, "at_visit": 0}).status_code == 202


def test_capacity_needs_a_constraint(client, submit, database):
    job_id = submit(method={"kind": "naive"}, controls=[])
    finish_visit(database, job_id, 0, constraint=False)
    response = _ask(client, job_id, CAPACITY)
    assert (response.status_code, response.json()["code"]) == (409, "not_learned")
    assert _ask(client, job_id, {"kind": "perturbation"}).status_code == 202


def test_an_agent_can_be_asked_what_it_survives_and_what_its_games_share_but_not_how_much_of_it_is_frozen(client, database):
    job_id = client.post("/v1/jobs", json=GAMES).json()["id"]
    assert _ask(client, job_id, {"kind": "perturbation"}).json()["code"] == "not_learned"
    for visit in (0, 1):
        finish_visit(database, job_id, visit)
    asked = _ask(client, job_id, {"kind": "perturbation", "task": 1, "num_episodes": 3})
    assert (asked.status_code, asked.json()["spec"]["question"]["num_episodes"]) == (202, 3)
    assert _ask(client, job_id, OVERLAP).status_code == 202
    refused = _ask(client, job_id, CAPACITY)
    assert (refused.status_code, [item["pointer"] for item in refused.json()["errors"]]) == (422, ["/kind"])
    assert "supervised jobs only" in refused.json()["detail"]


def test_only_the_owner_s_jobs_that_have_tasks_can_be_analysed(client, caller, learned):
    other = client.post("/v1/jobs", json=ASSOCIATION).json()["id"]
    response = _ask(client, other, CAPACITY)
    assert (response.status_code, response.json()["code"]) == (409, "wrong_job_kind")
    stranger = caller()
    assert _ask(stranger, learned, CAPACITY).status_code == 404
    for asker, about in ((stranger, learned), (client, other)):
        response = asker.post("/v1/jobs", json={"kind": "analysis", "job_id": about, "question": CAPACITY})
        assert response.status_code == 422
        assert [item["pointer"] for item in response.json()["errors"]] == ["/job_id"]


def test_a_reader_may_list_but_not_ask(caller, owner, learned):
    reader = caller(owner, scopes=["jobs:read"])
    assert reader.get(f"/v1/jobs/{learned}/analyses").status_code == 200
    assert _ask(reader, learned, CAPACITY).json()["code"] == "scope_missing"
