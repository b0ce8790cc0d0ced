"""Many and large jobs: a fixed number of statements, lists without specs, stored specs shown whatever rules have come since."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from ewc_core.specs import JOB_SPEC
from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, SPEC, bring_to, finish_visit
from tests.store.conftest import execute
from tests.store.statements import statements

pytestmark = pytest.mark.both_engines

MANY_TASKS = [{"dataset": "digits", "permutation": index} for index in range(1000)]
GAMES = {
    "kind": "reinforcement",
    "network": {"kind": "mlp", "hidden_sizes": [8]},
    "agent": {"preset": "small"},
    "method": {"kind": "ewc", "ewc_lambda": 1.0},
    "tasks": [{"kind": "gymnasium", "id": "CartPole-v1", "permutation": index} for index in range(11)],
    "schedule": {"kind": "rounds", "num_rounds": 1000, "num_steps": 10},
}


@pytest.fixture
def served_by(app):
    """The database of the app that answers."""
    return app.state.services.database


def num_statements(served_by, client, path):
    """How many statements the answer to a GET takes; the key was used a moment ago."""
    with statements(served_by) as sent:
        response = client.get(path)
    assert response.status_code == 200, response.text
    return len([statement for statement in sent if "BEGIN" not in statement]), response


def test_a_page_of_jobs_takes_as_many_statements_however_long_it_is_and_shows_no_spec(client, submit, served_by):
    ids = [submit(metadata={"team": "a"}), submit(tasks=MANY_TASKS)]
    ids += [client.post("/v1/jobs", json=ASSOCIATION).json()["id"] for _ in range(3)]
    one, _ = num_statements(served_by, client, "/v1/jobs?limit=1")
    all_, response = num_statements(served_by, client, "/v1/jobs?limit=100")
    assert one == all_ == 2
    items = response.json()["data"]
    assert [item["id"] for item in items] == ids[::-1]
    assert [item["kind"] for item in items] == ["association"] * 3 + ["supervised"] * 2
    assert [item["progress"]["num_visits"] for item in items] == [0, 0, 0, 1000, 2]
    assert items[-1]["metadata"] == {"team": "a"}
    assert not {"spec", "transitions", "warnings", "lease", "queue_position", "waiting_for"} & set(items[0])
    assert len(response.content) < 1500 * len(items)


def test_the_whole_of_a_job_is_what_its_summary_says_and_more(client, submit, database):
    job_id = submit()
    bring_to(database, job_id, JobStatus.RUNNING)
    summary = client.get("/v1/jobs").json()["data"][0]
    whole = client.get(summary["links"]["self"]).json()
    assert {name: whole[name] for name in summary} == summary
    assert summary["progress"] == {"visit_index": 0, "task_index": 0, "step": 3, "num_steps": 10, "num_visits": 2}
    assert set(whole) - set(summary) == {"spec", "transitions", "warnings", "lease", "queue_position", "waiting_for"}


@pytest.mark.parametrize("part", ["tasks", "task-switches"])
def test_tasks_and_switches_come_in_pages(client, submit, served_by, part):
    job_id = submit(tasks=MANY_TASKS)
    few, _ = num_statements(served_by, client, f"/v1/jobs/{job_id}/{part}?limit=1")
    many, response = num_statements(served_by, client, f"/v1/jobs/{job_id}/{part}?limit=1000")
    assert few == many
    everything = response.json()
    assert (len(everything["data"]), everything["has_more"]) == (1000, False)
    first = client.get(f"/v1/jobs/{job_id}/{part}").json()
    assert (first["data"], first["has_more"]) == (everything["data"][:100], True)
    second = client.get(f"/v1/jobs/{job_id}/{part}?after={first['last_id']}&limit=7").json()
    assert second["data"] == everything["data"][100:107]
    refused = client.get(f"/v1/jobs/{job_id}/{part}?after=nonsense")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


@pytest.mark.parametrize("path", ["", "/events", "/metrics", "/checkpoints", "/evaluations/matrix", "/analyses"])
def test_what_is_read_of_a_job_takes_as_many_statements_with_many_tasks_as_with_few(client, submit, served_by, path):
    small, large = submit(), submit(tasks=MANY_TASKS)
    few, _ = num_statements(served_by, client, f"/v1/jobs/{small}{path}")
    many, _ = num_statements(served_by, client, f"/v1/jobs/{large}{path}")
    assert few == many <= 7


def test_analyses_and_sweeps_take_as_many_statements_however_many_there_are(client, submit, served_by, database):
    job_id = submit()
    finish_visit(database, job_id, 0)
    sweep = {
        "job": {**SPEC, "controls": [], "training": {"num_validation_examples": 10}},
        "search": {"method.ewc_lambda": {"low": 1, "high": 2}},
    }
    counts = []
    for _ in range(2):
        assert client.post(f"/v1/jobs/{job_id}/analyses", json={"kind": "capacity"}).status_code == 202
        assert client.post("/v1/sweeps", json=sweep).status_code == 201
        counts.append(tuple(num_statements(served_by, client, path)[0] for path in (f"/v1/jobs/{job_id}/analyses", "/v1/sweeps")))
    assert counts[0] == counts[1]
    assert "spec" not in client.get("/v1/sweeps").json()["data"][0]


def test_a_job_that_would_be_refused_today_is_listed_read_switched_and_cancelled(client, submit, database):
    job_id = submit(stream="open")
    stored = {**client.get(f"/v1/jobs/{job_id}").json()["spec"], "name": "n" * 500, "colour": "red", "seed": -1}
    with pytest.raises(ValidationError):
        JOB_SPEC.validate_python(stored)
    execute(database, "UPDATE jobs SET spec = :spec WHERE id = :id", spec=json.dumps(stored), id=job_id)
    assert client.get("/v1/jobs").json()["data"][0]["id"] == job_id
    assert client.get(f"/v1/jobs/{job_id}").json()["spec"] == stored
    for part in ("tasks", "evaluations/matrix", "task-switches", "events"):
        assert client.get(f"/v1/jobs/{job_id}/{part}").status_code == 200
    switch = {"action": "append", "task": {"dataset": "digits", "permutation": 5}}
    assert client.post(f"/v1/jobs/{job_id}/task-switches", json=switch).status_code == 201
    for move, status in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        assert client.post(f"/v1/jobs/{job_id}/{move}").json()["status"] == status


def test_more_visits_than_are_allowed_are_refused_by_field_and_limit(client):
    response = client.post("/v1/jobs", json=GAMES)
    (item,) = response.json()["errors"]
    assert (response.status_code, item["pointer"]) == (422, "/schedule/num_rounds")
    assert "11000 visits; at most 10000" in item["detail"]


def test_a_job_of_ten_thousand_visits_is_made_and_its_visits_are_read_in_pages(client, served_by):
    with statements(served_by) as sent:
        response = client.post("/v1/jobs", json={**GAMES, "tasks": GAMES["tasks"][:10]})
    assert (response.status_code, response.json()["progress"]["num_visits"]) == (201, 10_000)
    assert len(sent) < 30
    switches = client.get(f"/v1/jobs/{response.json()['id']}/task-switches?limit=1000").json()
    assert (switches["data"][-1]["visit_index"], switches["has_more"]) == (999, True)
