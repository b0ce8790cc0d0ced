"""Keys open exactly what they should."""

from __future__ import annotations

import json

import pytest

from api.api_key_format import new_key
from store.job_states import JobStatus
from tests.api.conftest import make_key
from tests.api.lives import SPEC, add_checkpoint, bring_to

OPEN_PATHS = {"/healthz", "/readyz", "/version", "/problems/{code}"}


def _operations(app) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations]


def test_every_v1_operation_needs_a_key(anonymous, app):
    for method, path in _operations(app):
        response = anonymous.request(method, path.replace("{code}", "not_found"))
        if path in OPEN_PATHS:
            assert response.status_code == 200, path
        else:
            assert (response.status_code, response.json()["code"]) == (401, "unauthorized"), path
            assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic YWxpY2U6eA==",
        "Bearer ewc_live_x",
        f"Bearer {new_key().text}",
        "Bearer é".encode("latin-1"),
        "Bearer \x7f",
    ],
    ids=["no-key", "empty-key", "other-scheme", "malformed", "unknown", "not-ascii", "control-character"],
)
def test_a_wrong_key_opens_nothing_and_the_body_is_not_looked_at(anonymous, header):
    response = anonymous.post("/v1/jobs", content="{", headers={"Authorization": header})
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")


def test_a_key_with_the_right_prefix_and_another_secret_opens_nothing(anonymous, database, owner):
    right, other = make_key(database, owner=owner), new_key()
    with database.write() as work:
        work.api_keys.create(owner=owner, name="x", scopes=["jobs:read"], prefix=other.prefix, secret_sha256="0" * 64)
    assert anonymous.get("/v1/jobs", headers={"Authorization": f"Bearer {right}"}).status_code == 200
    assert anonymous.get("/v1/jobs", headers={"Authorization": f"Bearer {other.text}"}).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(anonymous, database, owner, scheme):
    assert anonymous.get("/v1/jobs", headers={"Authorization": f"{scheme} {make_key(database, owner=owner)}"}).status_code == 200


def test_a_missing_scope_is_named(caller):
    reader, writer = caller(scopes=["jobs:read"]), caller(scopes=["jobs:write"])
    for response, scope in [
        (reader.post("/v1/jobs/job_x/cancel"), "jobs:write"),
        (writer.get("/v1/jobs"), "jobs:read"),
        (reader.get("/v1/api-keys"), "keys:admin"),
    ]:
        assert (response.status_code, response.json()["code"], response.json()["missing_scope"]) == (403, "scope_missing", scope)


def test_every_operation_asks_for_a_scope(app, caller):
    powerless = caller(scopes=[])
    for method, path in _operations(app):
        if path not in OPEN_PATHS:
            body = {"json": {}} if method in ("PATCH", "POST") else {}
            assert powerless.request(method, path, **body).status_code == 403, path


def test_what_belongs_to_another_owner_looks_like_what_does_not_exist(app, caller, submit, client, database):
    """Walks over every operation with an id in its path."""
    job_id = submit(stream="open")
    bring_to(database, job_id, JobStatus.RUNNING)
    key_id = client.get("/v1/api-keys").json()["data"][0]["id"]
    search = {"method.ewc_lambda": {"low": 1, "high": 10}}
    job = {**SPEC, "training": {"num_validation_examples": 100}}
    sweep_id = client.post("/v1/sweeps", json={"job": job, "search": search}).json()["id"]
    checkpoint_id = add_checkpoint(database, job_id, b"content").id
    ids = {"job_id": job_id, "checkpoint_id": checkpoint_id, "key_id": key_id, "sweep_id": sweep_id}
    places = {"task_index": "0"}
    bodies = {
        "create_task_switch": {"action": "revisit", "task_index": 0},
        "create_analysis": {"kind": "capacity"},
        "reweight_task": {"weight": 1.0},
        "change_job": {"priority": 1},
    }
    bob = caller()
    before = client.get(f"/v1/jobs/{job_id}").json()
    num_walked = 0
    for path, operations in app.openapi()["paths"].items():
        if "{" not in path or path in OPEN_PATHS:
            continue
        for method, operation in operations.items():
            body = bodies.get(operation["operationId"])
            theirs = bob.request(method.upper(), path.format(**ids, **places), json=body)
            nobodys = bob.request(method.upper(), path.format(**dict.fromkeys(ids, "absent"), **places), json=body)
            assert (theirs.status_code, theirs.json()["code"]) == (404, "not_found"), path
            assert _anonymised(theirs.json(), ids) == _anonymised(nobodys.json(), ids), path
            num_walked += 1
    assert num_walked >= 14, "the walk missed operations"
    assert client.get(f"/v1/jobs/{job_id}").json() == before
    assert bob.get("/v1/jobs").json()["data"] == []
    assert bob.get(f"/v1/jobs?after={job_id}").json()["code"] == "invalid_cursor"


def _anonymised(problem: dict, ids: dict[str, str]) -> str:
    text = json.dumps({name: value for name, value in problem.items() if name != "request_id"})
    for value in ids.values():
        text = text.replace(value, "absent")
    return text


def test_a_used_key_shows_when_it_was_used_last(client):
    client.get("/v1/jobs")
    assert client.get("/v1/api-keys").json()["data"][0]["last_used_at"] is not None


def test_a_new_key_is_shown_once_works_and_can_be_revoked(client, anonymous, owner):
    response = client.post("/v1/api-keys", json={"name": "dashboard", "scopes": ["jobs:read"]})
    made = response.json()
    assert (response.status_code, made["object"], made["owner"], made["scopes"]) == (201, "api_key", owner, ["jobs:read"])
    assert response.headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert anonymous.get("/v1/jobs", headers=headers).status_code == 200
    listed = client.get("/v1/api-keys").json()["data"][-1]
    assert listed["id"] == made["id"]
    assert "key" not in listed
    assert made["key"].removeprefix(f"ewc_live_{made['prefix']}_")[:43] not in client.get("/v1/api-keys").text
    assert client.delete(f"/v1/api-keys/{made['id']}").status_code == 204
    refused = anonymous.get("/v1/jobs", headers=headers)
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": ["root"]}, "/scopes/0"),
        ({"name": "x", "scopes": ["jobs:read", "jobs:read"]}, "/scopes"),
        ({"name": "x", "owner": "Not Allowed"}, "/owner"),
    ],
)
def test_a_key_that_cannot_be_made_is_refused_by_field(client, body, pointer):
    response = client.post("/v1/api-keys", json=body)
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)


def test_the_secret_of_a_new_key_is_stored_nowhere_not_even_for_a_replay(client):
    headers = {"Idempotency-Key": "make-key"}
    first = client.post("/v1/api-keys", json={"name": "once"}, headers=headers)
    again = client.post("/v1/api-keys", json={"name": "once"}, headers=headers)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert first.json()["key"] is not None
    assert again.json() == {**first.json(), "key": None}
