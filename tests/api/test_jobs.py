"""Jobs: submitted, read, listed."""

from __future__ import annotations

import pytest

from api.app import create_app
from store.job_states import JobStatus
from tests.api.conftest import TestClient, make_key, settings_for
from tests.api.lives import ASSOCIATION, SPEC, bring_to, warn

pytestmark = pytest.mark.both_engines


def test_a_submitted_job_is_queued_and_says_where_everything_is(client):
    response = client.post("/v1/jobs", json={**SPEC, "name": "mine"})
    assert response.status_code == 201
    job = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["object"], job["name"], job["status"], job["stream"]) == ("job", "mine", "queued", "closed")
    assert job["progress"] == {"visit_index": None, "task_index": None, "step": None, "num_steps": None, "num_visits": 2}
    assert [move["to_status"] for move in job["transitions"]] == ["queued"]
    assert job["lease"] is None
    assert job["error"] is None
    for link in job["links"].values():
        assert client.get(link).status_code == 200, link


def test_the_request_id_of_the_submission_stays_with_the_job(client):
    response = client.post("/v1/jobs", json=SPEC, headers={"X-Request-ID": "trace-7"})
    assert response.headers["X-Request-ID"] == "trace-7"
    assert response.json()["request_id"] == "trace-7"


def test_a_submitted_job_wakes_a_worker(client, settings):
    before = sum(path.is_file() for path in settings.broker_dir.rglob("*"))
    client.post("/v1/jobs", json=SPEC)
    assert sum(path.is_file() for path in settings.broker_dir.rglob("*")) > before


def test_a_broker_that_cannot_be_reached_does_not_lose_the_job(database_url, database, tmp_path, owner, caplog):
    settings = settings_for(database_url, tmp_path)
    with TestClient(create_app(settings)) as client:
        settings.broker_dir.rename(tmp_path / "elsewhere")
        settings.broker_dir.write_text("a file where the broker's folders should be")
        response = client.post("/v1/jobs", json=SPEC, headers={"Authorization": f"Bearer {make_key(database, owner=owner)}"})
    assert response.status_code == 201
    with database.read() as work:
        assert response.json()["id"] in work.queue.due_for_wake_up()
    warnings = [record for record in caplog.records if record.name == "api" and record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert response.json()["id"] in warnings[0].getMessage()


def test_a_running_job_shows_its_progress_and_its_lease(client, submit, database):
    job_id = submit()
    bring_to(database, job_id, JobStatus.RUNNING)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["progress"] == {"visit_index": 0, "task_index": 0, "step": 3, "num_steps": 10, "num_visits": 2}
    assert (job["lease"]["worker_id"], job["lease"]["epoch"], job["attempt"]) == ("wrk_test", 1, 1)
    assert [move["to_status"] for move in job["transitions"]] == ["queued", "starting", "running"]


def test_a_failed_job_shows_its_error(client, submit, database):
    job_id = submit()
    bring_to(database, job_id, JobStatus.FAILED)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["error"] == {"code": "worker_lost", "message": "gone"}
    assert job["finished_at"] is not None


def test_an_unchanged_job_is_not_sent_again(client, submit, database):
    job_id = submit()
    first = client.get(f"/v1/jobs/{job_id}")
    again = client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    bring_to(database, job_id, JobStatus.STARTING)
    changed = client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json()["status"]) == (200, "starting")


def test_a_task_switch_changes_the_etag_because_it_changes_the_number_of_visits(client, submit):
    job_id = submit(stream="open")
    first = client.get(f"/v1/jobs/{job_id}").headers["ETag"]
    client.post(f"/v1/jobs/{job_id}/task-switches", json={"action": "revisit", "task_index": 0})
    assert client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": first}).status_code == 200


def test_pages_forward_and_back_show_every_job_once_newest_first(client, submit):
    made = [submit() for _ in range(5)]
    seen, after = [], None
    while True:
        page = client.get("/v1/jobs", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [job["id"] for job in page["data"]]
        assert (page["object"], page["first_id"], page["last_id"]) == ("list", page["data"][0]["id"], page["data"][-1]["id"])
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == made[::-1]
    back = client.get("/v1/jobs", params={"limit": 2, "before": seen[4]}).json()
    assert [job["id"] for job in back["data"]] == seen[2:4]


def test_a_list_can_be_narrowed_to_one_status(client, submit, database):
    running, _ = submit(), submit()
    bring_to(database, running, JobStatus.RUNNING)
    assert [job["id"] for job in client.get("/v1/jobs", params={"status": "running"}).json()["data"]] == [running]
    assert client.get("/v1/jobs", params={"status": "failed"}).json() == {
        "object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None,
    }  # fmt: skip


@pytest.mark.parametrize("folder", [None, "empty"])
def test_a_data_set_without_its_files_is_refused_by_field_and_variable(database_url, database, tmp_path, owner, folder):
    settings = settings_for(database_url, tmp_path).model_copy(update={"data_dir": folder and tmp_path / folder})
    tasks = [{"dataset": "mnist"}, {"dataset": "mnist", "permutation": 1}]
    with TestClient(create_app(settings)) as client:
        headers = {"Authorization": f"Bearer {make_key(database, owner=owner)}"}
        response = client.post("/v1/jobs", json={**SPEC, "tasks": tasks}, headers=headers)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (422, "dataset_unavailable")
    assert problem["errors"][0]["pointer"] == "/tasks/0/dataset"
    assert "EWC_DATA_DIR" in problem["detail"]
    assert "mnist/train-images-idx3-ubyte.gz" in problem["detail"]


def test_a_job_without_tasks_is_a_job_like_any_other(client, database):
    response = client.post("/v1/jobs", json={**ASSOCIATION, "name": "patterns"})
    assert response.status_code == 201
    job = response.json()
    assert (job["name"], job["status"], job["stream"], job["spec"]["kind"]) == ("patterns", "queued", "closed", "association")
    assert job["progress"] == {"visit_index": None, "task_index": None, "step": None, "num_steps": None, "num_visits": 0}
    assert sorted(job["links"]) == ["attempts", "events", "metrics", "result", "self"]
    for part in ("tasks", "task-switches", "checkpoints", "snapshots", "analyses"):
        listed = client.get(f"/v1/jobs/{job['id']}/{part}")
        assert (listed.status_code, listed.json()["data"]) == (200, []), part
    assert [one["id"] for one in client.get("/v1/jobs").json()["data"]] == [job["id"]]
    bring_to(database, job["id"], JobStatus.RUNNING)
    with database.write() as work:
        work.jobs.record_progress(job["id"], visit_index=None, step=3, num_steps=8)
    progress = client.get(f"/v1/jobs/{job['id']}").json()["progress"]
    assert (progress["visit_index"], progress["step"], progress["num_steps"]) == (None, 3, 8)
    assert client.post(f"/v1/jobs/{job['id']}/pause").status_code == 202


@pytest.mark.parametrize(
    "body", [{"action": "append", "task": {"dataset": "digits"}}, {"action": "switch_now"}, {"action": "close"}]
)
def test_a_job_without_tasks_takes_no_task_switch(client, body):
    job_id = client.post("/v1/jobs", json=ASSOCIATION).json()["id"]
    response = client.post(f"/v1/jobs/{job_id}/task-switches", json=body)
    assert (response.status_code, response.json()["code"]) == (409, "wrong_job_kind")


def test_a_job_shows_the_latest_warning_of_each_code(client, submit, database):
    job_id = submit()
    assert client.get(f"/v1/jobs/{job_id}").json()["warnings"] == []
    tag = client.get(f"/v1/jobs/{job_id}").headers["ETag"]
    for visit_index in (0, 1):
        warn(database, job_id, "explicit_step_unstable", f"diverges in visit {visit_index}", visit_index=visit_index)
    warn(database, job_id, "capacity_nearly_used", "92 % frozen", visit_index=1)
    response = client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": tag})
    shown = [(one["code"], one["message"], one["visit_index"]) for one in response.json()["warnings"]]
    assert shown == [("explicit_step_unstable", "diverges in visit 1", 1), ("capacity_nearly_used", "92 % frozen", 1)]


def test_a_queued_job_has_a_place_in_the_queue_of_all_owners_and_its_etag_follows_it(client, caller, submit):
    stranger = caller("a stranger")
    first = stranger.post("/v1/jobs", json=SPEC).json()
    second = submit()
    before = client.get(f"/v1/jobs/{second}")
    assert before.json()["queue_position"] == first["queue_position"] + 1
    assert client.get(f"/v1/jobs/{second}", headers={"If-None-Match": before.headers["ETag"]}).status_code == 304
    assert stranger.post(f"/v1/jobs/{first['id']}/pause").json()["queue_position"] is None
    after = client.get(f"/v1/jobs/{second}", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json()["queue_position"]) == (200, first["queue_position"])
    resumed = stranger.post(f"/v1/jobs/{first['id']}/resume").json()
    assert resumed["queue_position"] == first["queue_position"], "it is as old as it was"
    client.post(f"/v1/jobs/{second}/cancel")
    assert client.get(f"/v1/jobs/{second}").json()["queue_position"] is None
