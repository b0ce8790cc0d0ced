"""Sweeps over HTTP: submitted once, refused by field, seen by their owner only, cancelled with their jobs."""

from __future__ import annotations

import pytest

from ewc_core.specs import JOB_SPEC, SweepSpec
from ewc_core.sweep.proposer import propose
from store.job_states import JobStatus
from tests.api.lives import SPEC, bring_to

JOB = {**SPEC, "training": {"num_validation_examples": 100}}
SWEEP = {"job": JOB, "search": {"method.ewc_lambda": {"low": 1, "high": 1000, "log": True}}, "num_trials": 5}
KEY = {"Idempotency-Key": "key-1"}
NO_ID = "0" * 26


@pytest.fixture
def sweep_id(client):
    """A sweep of the test's owner without trials."""
    return client.post("/v1/sweeps", json=SWEEP).json()["id"]


@pytest.fixture
def start_trials(database, owner):
    """Makes trials as a worker does; the ids of their jobs."""

    def _start(sweep_id: str, num_trials: int) -> list[str]:
        with database.write() as work:
            spec = work.sweeps.get(sweep_id, lock=True).spec
            jobs = []
            for number in range(num_trials):
                parameters = {"method.ewc_lambda": 10.0**number}
                jobs.append(work.jobs.create(spec.trial_job(parameters), owner=owner).id)
                work.sweeps.add_trial(sweep_id, number=number, job_id=jobs[-1], parameters=parameters)
        return jobs

    return _start


def test_a_sweep_is_running_when_its_submission_returns(client):
    response = client.post("/v1/sweeps", json={**SWEEP, "name": "which λ"})
    body = response.json()
    assert (response.status_code, response.headers["Location"]) == (201, f"/v1/sweeps/{body['id']}")
    assert body["id"].startswith("sweep_")
    assert (body["object"], body["name"], body["status"]) == ("sweep", "which λ", "running")
    assert (body["trials"], body["best"], body["best_job_spec"], body["error"]) == ([], None, None, None)
    assert body["num_trials"] == {"planned": 5, "running": 0, "completed": 0, "failed": 0}
    assert body["spec"]["search"] == {"method.ewc_lambda": {"kind": "float", "low": 1.0, "high": 1000.0, "log": True}}
    assert client.get(body["links"]["self"]).json() == body
    assert client.get("/v1/jobs").json()["data"] == []


def test_the_table_of_trials_leads_to_the_best_job(client, sweep_id, start_trials, database):
    jobs = start_trials(sweep_id, 4)
    with database.write() as work:
        for number, score in ((0, 0.5), (1, 0.75), (2, None)):
            work.sweeps.settle_trial(sweep_id, number, score=score)
    body = client.get(f"/v1/sweeps/{sweep_id}").json()
    table = [(trial["number"], trial["job_id"], trial["status"], trial["score"]) for trial in body["trials"]]
    assert table == list(
        zip(range(4), jobs, ["completed", "completed", "failed", "running"], [0.5, 0.75, None, None], strict=True)
    )
    assert body["num_trials"] == {"planned": 5, "running": 1, "completed": 2, "failed": 1}
    assert body["best"] == {"number": 1, "job_id": jobs[1], "parameters": {"method.ewc_lambda": 10.0}, "score": 0.75}
    best = JOB_SPEC.validate_python(body["best_job_spec"])
    assert (best.method.ewc_lambda, best.training.evaluate_on, best.controls) == (10.0, "test", ["naive"])
    assert client.post("/v1/jobs", json=body["best_job_spec"]).status_code == 201


def test_equal_scores_prefer_the_first_trial(client, sweep_id, start_trials, database):
    start_trials(sweep_id, 2)
    with database.write() as work:
        for number in (0, 1):
            work.sweeps.settle_trial(sweep_id, number, score=0.5)
    assert client.get(f"/v1/sweeps/{sweep_id}").json()["best"]["number"] == 0


def test_a_repeated_submission_makes_one_sweep(client):
    first = client.post("/v1/sweeps", json=SWEEP, headers=KEY)
    again = client.post("/v1/sweeps", json=SWEEP, headers=KEY)
    assert (again.status_code, again.json(), again.headers["Location"]) == (201, first.json(), first.headers["Location"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(client.get("/v1/sweeps").json()["data"]) == 1
    assert client.post("/v1/sweeps", json={**SWEEP, "seed": 1}, headers=KEY).status_code == 422


def test_sweeps_are_listed_newest_first_page_by_page(client):
    ids = [client.post("/v1/sweeps", json={**SWEEP, "name": str(number)}).json()["id"] for number in range(3)]
    page = client.get("/v1/sweeps", params={"limit": 2}).json()
    assert ([item["id"] for item in page["data"]], page["has_more"]) == (ids[:0:-1], True)
    assert "trials" not in page["data"][0]
    rest = client.get("/v1/sweeps", params={"limit": 2, "after": page["last_id"]}).json()
    assert ([item["id"] for item in rest["data"]], rest["has_more"]) == (ids[:1], False)
    assert [item["id"] for item in client.get("/v1/sweeps", params={"before": ids[0]}).json()["data"]] == ids[:0:-1]
    assert client.get("/v1/sweeps", params={"after": "nonsense"}).json()["code"] == "invalid_cursor"


def test_an_etag_changes_with_every_trial(client, sweep_id, start_trials, database):
    tag = client.get(f"/v1/sweeps/{sweep_id}").headers["ETag"]
    assert client.get(f"/v1/sweeps/{sweep_id}", headers={"If-None-Match": tag}).status_code == 304
    start_trials(sweep_id, 1)
    changed = client.get(f"/v1/sweeps/{sweep_id}", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    with database.write() as work:
        work.sweeps.settle_trial(sweep_id, 0, score=0.5)
    assert client.get(f"/v1/sweeps/{sweep_id}", headers={"If-None-Match": changed.headers["ETag"]}).status_code == 200


def test_a_sweep_of_another_owner_is_not_there(client, caller, sweep_id):
    bob = caller()
    for method, path in (("GET", f"/v1/sweeps/{sweep_id}"), ("POST", f"/v1/sweeps/{sweep_id}/cancel")):
        response = bob.request(method, path)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert bob.get("/v1/sweeps").json()["data"] == []
    assert bob.get("/v1/sweeps", params={"after": sweep_id}).status_code == 400
    assert client.get(f"/v1/sweeps/{sweep_id}").json()["status"] == "running"
    assert client.get(f"/v1/sweeps/sweep_{NO_ID}").status_code == 404


def test_a_key_that_may_only_read_cannot_submit_or_cancel(caller, owner, sweep_id):
    reader = caller(owner, scopes=["jobs:read"])
    assert reader.get(f"/v1/sweeps/{sweep_id}").status_code == 200
    assert reader.post("/v1/sweeps", json=SWEEP).status_code == 403
    assert reader.post(f"/v1/sweeps/{sweep_id}/cancel").status_code == 403


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"search": {"method.lambda": {"low": 1, "high": 2}}}, "/search/method.lambda"),
        ({"search": {"seed": {"low": 1, "high": 2}}}, "/search/seed"),
        ({"search": {"method.ewc_lambda": {"low": -1, "high": 2}}}, "/search/method.ewc_lambda"),
        ({"search": {"method.ewc_lambda": {"low": 3, "high": 2}}}, "/search/method.ewc_lambda/low"),
        ({"search": {"method.ewc_lambda": {"low": 1}}}, "/search/method.ewc_lambda/high"),
        ({"search": {"method.ewc_lambda": {"kind": "normal"}}}, "/search/method.ewc_lambda/kind"),
        ({"search": {}}, "/search"),
        ({"sampler": "grid"}, "/search/method.ewc_lambda"),
        ({"sampler": "best"}, "/sampler"),
        ({"num_trials": 0}, "/num_trials"),
        ({"job": SPEC}, "/job"),
        ({"job": {**JOB, "stream": "open"}}, "/job/stream"),
        ({"job": {**JOB, "training": {"num_validation_examples": 0}}}, "/job/training/num_validation_examples"),
        ({"job": {**JOB, "method": {"kind": "ewc", "ewc_lambda": -1}}}, "/job/method/ewc_lambda"),
        ({"job": {**JOB, "tasks": [{"dataset": "digits"}, {"dataset": "mnist"}]}}, "/job/tasks/1/dataset"),
        ({"job": {**JOB, "tasks": [{"dataset": "mnist"}]}}, "/job/tasks/0/dataset"),
        ({"job": {**JOB, "network": {"kind": "plugin", "name": "nobody-s"}}}, "/job/network/name"),
        ({"name": "a\x00b"}, "/name"),
    ],
)
def test_a_sweep_that_cannot_be_run_is_refused_by_field(client, changes, pointer):
    response = client.post("/v1/sweeps", json={**SWEEP, **changes}, headers=KEY)
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json"), response.text
    assert pointer in [item["pointer"] for item in response.json()["errors"]]
    assert client.get("/v1/sweeps").json()["data"] == []


def test_cancelling_a_sweep_cancels_its_jobs_the_ordinary_way(client, sweep_id, start_trials, database):
    queued, running, done = start_trials(sweep_id, 3)
    bring_to(database, running, JobStatus.RUNNING)
    bring_to(database, done, JobStatus.SUCCEEDED)
    with database.write() as work:
        work.sweeps.settle_trial(sweep_id, 2, score=0.5)
    response = client.post(f"/v1/sweeps/{sweep_id}/cancel", headers=KEY)
    assert (response.status_code, response.json()["status"]) == (202, "cancelled")
    assert [trial["status"] for trial in response.json()["trials"]] == ["failed", "failed", "completed"]
    assert response.json()["best"]["number"] == 2
    statuses = [client.get(f"/v1/jobs/{job_id}").json()["status"] for job_id in (queued, running, done)]
    assert statuses == ["cancelled", "cancelling", "succeeded"]
    again = client.post(f"/v1/sweeps/{sweep_id}/cancel")
    assert (again.status_code, again.json()["code"], again.json()["sweep_status"]) == (409, "sweep_finished", "cancelled")
    assert client.post(f"/v1/sweeps/{sweep_id}/cancel", headers=KEY).json() == response.json()


def test_a_retried_job_takes_its_trial_and_its_sweep_up_again(client, sweep_id, start_trials, database):
    [job_id] = start_trials(sweep_id, 1)
    bring_to(database, job_id, JobStatus.FAILED)
    with database.write() as work:
        work.sweeps.settle_trial(sweep_id, 0, score=None)
        work.sweeps.finish(sweep_id, "failed", error={"code": "no_trial_succeeded", "message": "gone"})
    ended = client.get(f"/v1/sweeps/{sweep_id}")
    assert client.post(f"/v1/jobs/{job_id}/retry").status_code == 202
    again = client.get(f"/v1/sweeps/{sweep_id}", headers={"If-None-Match": ended.headers["ETag"]}).json()
    assert (again["status"], again["error"], again["finished_at"]) == ("running", None, None)
    assert again["num_trials"] == {"planned": 5, "running": 1, "completed": 0, "failed": 0}
    assert client.post(f"/v1/jobs/{job_id}/retry").status_code == 409
    assert client.get(f"/v1/sweeps/{sweep_id}").json() == again


@pytest.mark.parametrize("status", list(JobStatus))
def test_a_trial_s_job_in_any_state_lets_the_sweep_be_cancelled(client, sweep_id, start_trials, database, status):
    [job_id] = start_trials(sweep_id, 1)
    bring_to(database, job_id, status)
    assert client.post(f"/v1/sweeps/{sweep_id}/cancel").json()["status"] == "cancelled"
    assert client.get(f"/v1/jobs/{job_id}").json()["status"] in ("cancelling", "cancelled", "succeeded", "failed")


def test_the_stored_spec_proposes_what_the_submitted_one_does(client, database):
    search = {"training.learning_rate": {"low": 1e-4, "high": 0.1, "log": True}, "method.ewc_lambda": {"low": 1, "high": 1e3}}
    submitted = {**SWEEP, "search": search, "sampler": "random"}
    sweep_id = client.post("/v1/sweeps", json=submitted).json()["id"]
    with database.read() as work:
        stored = work.sweeps.get(sweep_id).spec
    assert propose(stored, (), ()) == propose(SweepSpec.model_validate(submitted), (), ())
