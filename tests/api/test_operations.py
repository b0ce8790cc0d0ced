"""For operators: health, readiness, version, problem pages, catalogue, workers."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from api.app import create_app
from api.jobs.schemas import PERMUTED_DIGITS
from api.problems import BY_CODE
from ewc_core.specs import SupervisedSpec
from migrations import HEAD, run
from store.job_states import ALLOWED_MOVES, JobStatus
from store.unit_of_work import Database
from tests.api.conftest import TestClient, make_key, settings_for


def test_health_readiness_and_version_need_no_key(anonymous):
    assert anonymous.get("/healthz").json() == {"status": "ok"}
    readiness = anonymous.get("/readyz").json()
    assert (readiness["status"], readiness["checks"]) == ("ready", {"database": "ok", "broker": "ok"})
    assert anonymous.get("/version").json()["schema_revision"] == HEAD


def test_live_workers_are_counted_and_listed(anonymous, client, database):
    before = anonymous.get("/readyz").json()["num_live_workers"]
    with database.write() as work:
        work.workers.beat("wrk_1", hostname="host", pid=7, queue="cpu", slots=2)
    assert anonymous.get("/readyz").json()["num_live_workers"] == before + 1
    worker = client.get("/v1/workers").json()["data"][-1]
    assert {name: worker[name] for name in ("object", "id", "hostname", "pid", "queue", "slots")} == {
        "object": "worker", "id": "wrk_1", "hostname": "host", "pid": 7, "queue": "cpu", "slots": 2,
    }  # fmt: skip


@pytest.fixture
def own(bare_database_url, tmp_path, owner):
    """A service with a database that a test may break: the caller, and the statement to break it with."""
    run.upgrade(bare_database_url)
    database = Database(bare_database_url)

    def execute(statement: str) -> None:
        with database.write() as work:
            work.connection.execute(text(statement))

    with TestClient(create_app(settings_for(bare_database_url, tmp_path)), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {make_key(database, owner=owner)}"
        yield client, execute
    database.close()


def test_another_schema_is_not_ready_and_says_what_to_do(own):
    client, execute = own
    execute("UPDATE alembic_version SET version_num = '9999'")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")
    assert "'9999'" in response.json()["checks"]["database"]
    assert "python -m migrations upgrade" in response.json()["checks"]["database"]
    assert client.get("/healthz").status_code == 200


def test_a_database_without_its_tables_is_unavailable_and_worth_another_try(own):
    client, execute = own
    execute("DROP TABLE api_keys")
    response = client.get("/v1/jobs")
    assert (response.status_code, response.json()["code"], response.headers["Retry-After"]) == (503, "store_unavailable", "5")
    assert "api_keys" not in response.text


def test_a_broker_that_cannot_be_reached_is_not_ready_and_hides_where_it_is(database_url, tmp_path):
    settings = settings_for(database_url, tmp_path).model_copy(update={"broker_url": "redis://:password@127.0.0.1:1/0"})
    with TestClient(create_app(settings)) as client:
        response = client.get("/readyz")
    assert (response.status_code, response.json()["checks"]) == (503, {"database": "ok", "broker": "not reachable"})
    assert "password" not in response.text


def test_a_broker_whose_folder_is_a_file_is_not_ready_and_hides_where_it_is(own, tmp_path):
    client, _ = own
    messages = tmp_path / "broker" / "messages"
    messages.rmdir()
    messages.write_text("")
    response = client.get("/readyz")
    broker = "cannot be written: the service's log says why"
    assert (response.status_code, response.json()["checks"]) == (503, {"database": "ok", "broker": broker})
    assert str(tmp_path) not in response.text


def test_every_problem_has_a_page(anonymous):
    for code, problem in BY_CODE.items():
        page = anonymous.get(f"/problems/{code}")
        assert page.status_code == 200
        assert problem.explanation in page.text


def test_the_catalogue_says_what_can_be_asked_for(client):
    catalogue = client.get("/v1/catalogue").json()
    assert [kind["kind"] for kind in catalogue["methods"]] == [
        "naive", "l2", "dropout", "ewc", "online_ewc", "si", "mas", "joint",
    ]  # fmt: skip
    assert catalogue["networks"][0]["json_schema"]["properties"]["hidden_sizes"]["default"] == [100, 100]
    assert catalogue["tasks"][0]["kind"] == "permuted"
    available = {dataset["name"]: dataset["available"] for dataset in catalogue["datasets"]}
    assert available == {"digits": True, "mnist": False, "fashion-mnist": False}
    assert len(catalogue["datasets"][1]["missing_files"]) == 4
    states = {state["status"]: state for state in catalogue["job_states"]}
    assert {name: set(state["next"]) for name, state in states.items()} == {s.value: set(n) for s, n in ALLOWED_MOVES.items()}
    assert [name for name, state in states.items() if state["final"]] == ["succeeded", "failed", "cancelled"]
    assert states["running"]["allowed_actions"] == ["cancel", "pause"]
    assert states[JobStatus.FAILED]["allowed_actions"] == ["retry"]


def test_the_example_of_the_documentation_can_be_run():
    assert SupervisedSpec.model_validate(PERMUTED_DIGITS).methods == ["ewc", "naive", "joint"]
