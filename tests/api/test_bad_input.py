"""Bad input: a clear 4xx problem that names the field, and nothing written."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from store.base import Base
from tests.api.lives import SPEC, add_checkpoint

pytestmark = pytest.mark.both_engines

JSON = {"Content-Type": "application/json"}
NO_ID = "0" * 26


def _spec(**changes) -> str:
    return json.dumps({**SPEC, **changes})


def _options(text: str) -> str:
    return _spec(network={"kind": "plugin", "name": "any", "options": "OPTIONS"}).replace('"OPTIONS"', text)


CASES = {
    "malformed JSON": ('{"method": {', 400, "malformed_json", None),
    "two documents": ("{} {}", 400, "malformed_json", None),
    "no body": ("", 422, "invalid_request", ""),
    "not an object": ("[1]", 422, "invalid_request", ""),
    "invalid UTF-8": (b'{"name": "\xff"}', 400, "bad_request", None),
    "deeply nested": ("[" * 100_000, 400, "bad_request", None),
    "a huge integer": ('{"seed": ' + "9" * 5000 + "}", 400, "bad_request", None),
    "unknown data set": (_spec(tasks=[{"dataset": "digits"}, {"dataset": "cifar"}]), 422, "invalid_request", "/tasks/1/dataset"),
    "negative lambda": (_spec(method={"kind": "ewc", "ewc_lambda": -1}), 422, "invalid_request", "/method/ewc_lambda"),
    "unknown method": (_spec(method={"kind": "magic"}), 422, "invalid_request", "/method/kind"),
    "no kind of method": (_spec(method={"ewc_lambda": 1}), 422, "invalid_request", "/method"),
    "unknown task kind": (_spec(tasks=[{"kind": "sorted", "dataset": "digits"}]), 422, "invalid_request", "/tasks/0/kind"),
    "a task that is no object": (_spec(tasks=["digits"]), 422, "invalid_request", "/tasks/0"),
    "unknown kind of data set": (_spec(tasks=[{"dataset": {"kind": "sql"}}]), 422, "invalid_request", "/tasks/0/dataset/kind"),
    "a data set that is a number": (_spec(tasks=[{"dataset": 7}]), 422, "invalid_request", "/tasks/0/dataset"),
    "own arrays outside the data directory": (
        _spec(tasks=[{"kind": "plain", "dataset": {"kind": "arrays", "path": "../../etc/passwd.npz"}}]),
        422,
        "invalid_request",
        "/tasks/0/dataset/path",
    ),
    "own arrays of an unknown form": (
        _spec(tasks=[{"kind": "plain", "dataset": {"kind": "arrays", "path": "a.csv"}}]),
        422,
        "invalid_request",
        "/tasks/0/dataset/path",
    ),
    "own arrays that are not there": (
        _spec(tasks=[{"kind": "plain", "dataset": {"kind": "arrays", "path": "mine/a.npz"}}]),
        422,
        "dataset_unavailable",
        "/tasks/0/dataset",
    ),
    "a data set of no plug-in": (
        _spec(tasks=[{"dataset": "digits"}, {"kind": "plain", "dataset": {"kind": "plugin", "name": "none_has_it"}}]),
        422,
        "invalid_spec",
        "/tasks/1/dataset/name",
    ),
    "a network of no plug-in": (_spec(network={"kind": "plugin", "name": "none_has_it"}), 422, "invalid_spec", "/network/name"),
    "unknown network kind": (_spec(network={"kind": "transformer"}), 422, "invalid_request", "/network/kind"),
    "a convolution too deep for its images": (
        _spec(network={"kind": "conv", "channels": [4] * 5}),
        422,
        "invalid_request",
        "/network/channels",
    ),
    "a class that does not exist": (
        _spec(tasks=[{"kind": "split", "dataset": "digits", "classes": [3, 10]}]),
        422,
        "invalid_request",
        "/tasks/0/classes",
    ),
    "a class twice": (
        _spec(tasks=[{"kind": "split", "dataset": "digits", "classes": [3, 3]}]),
        422,
        "invalid_request",
        "/tasks/0/classes",
    ),
    "too few outputs for the heads": (
        _spec(heads={"kind": "multi", "num_outputs": 15}),
        422,
        "invalid_request",
        "/heads/num_outputs",
    ),
    "dropout without validation examples": (_spec(method={"kind": "dropout"}), 422, "invalid_request", "/method"),
    "unknown job kind": (_spec(kind="prophecy"), 422, "invalid_request", "/kind"),
    "a job kind that is a number": (_spec(kind=1), 422, "invalid_request", "/kind"),
    "a supervised field in another kind": (_spec(kind="association"), 422, "invalid_request", "/tasks"),
    "unknown rule": (json.dumps({"kind": "association", "rules": [{"kind": "hebb"}]}), 422, "invalid_request", "/rules/0/kind"),
    "a rule twice": (
        json.dumps({"kind": "association", "rules": [{"kind": "ewc"}, {"kind": "ewc"}]}),
        422,
        "invalid_request",
        "/rules",
    ),
    "a rate out of range": (
        json.dumps({"kind": "association", "rules": [{"kind": "gd", "rate": 2.5}]}),
        422,
        "invalid_request",
        "/rules/0/rate",
    ),
    "an analysis of nothing": (
        json.dumps({"kind": "analysis", "question": {"kind": "capacity"}}),
        422,
        "invalid_request",
        "/job_id",
    ),
    "an unknown question": (
        json.dumps({"kind": "analysis", "job_id": "job_x", "question": {"kind": "mood"}}),
        422,
        "invalid_request",
        "/question/kind",
    ),
    "an analysis of a job that is not there": (
        json.dumps({"kind": "analysis", "job_id": "job_x", "question": {"kind": "capacity"}}),
        422,
        "invalid_spec",
        "/job_id",
    ),
    "a field of another method": (_spec(method={"kind": "naive", "ewc_lambda": 1}), 422, "invalid_request", "/method/ewc_lambda"),
    "hidden size 1e9": (_spec(network={"hidden_sizes": [10**9]}), 422, "invalid_request", "/network/hidden_sizes/0"),
    "too many parameters": (_spec(network={"hidden_sizes": [16384] * 5}), 422, "invalid_request", "/network"),
    "unknown field": (_spec(learning_rate=1), 422, "invalid_request", "/learning_rate"),
    "unknown nested field": (_spec(tasks=[{"dataset": "digits", "seed": 1}]), 422, "invalid_request", "/tasks/0/seed"),
    "NaN": (_spec(method={"kind": "ewc", "ewc_lambda": float("nan")}), 422, "invalid_request", "/method/ewc_lambda"),
    "Infinity": (_spec(training={"learning_rate": float("inf")}), 422, "invalid_request", "/training/learning_rate"),
    "1e999": (_spec().replace("100.0", "1e999"), 422, "invalid_request", "/method/ewc_lambda"),
    "NaN for an integer": (_spec(seed=float("nan")), 422, "invalid_request", "/seed"),
    "NaN in an unknown field": (_spec(extra=float("nan")), 422, "invalid_request", "/extra"),
    "no task": (_spec(tasks=[]), 422, "invalid_request", "/tasks"),
    "tasks of two shapes": (
        _spec(tasks=[{"dataset": "digits"}, {"dataset": "mnist"}]),
        422,
        "invalid_request",
        "/tasks/1/dataset",
    ),
    "a control twice": (_spec(controls=["naive", "naive"]), 422, "invalid_request", "/controls"),
    "momentum without sgd": (_spec(training={"momentum": 0.9}), 422, "invalid_request", "/training/momentum"),
    "NUL in a name": (_spec(name="a\x00b"), 422, "invalid_spec", "/name"),
    "half a surrogate pair": (_spec(metadata={"a": "\ud800"}), 422, "invalid_spec", "/metadata/a"),
    "1e400 in options": (_options('{"x": 1e400}'), 422, "invalid_request", "/network/options/x"),
    "-1e400 deep in options": (_options('{"a.b": [0, {"c/d": -1e400}]}'), 422, "invalid_request", "/network/options/a.b/1/c~1d"),
    "NaN in options": (_options('{"x": [NaN]}'), 422, "invalid_request", "/network/options/x/0"),
    "-Infinity in options": (_options('{"x": -Infinity}'), 422, "invalid_request", "/network/options/x"),
    "an integer of 65 bits in options": (_options(f'{{"x": {2**64}}}'), 422, "invalid_request", "/network/options/x"),
    "an integer beyond float64 in options": (_options('{"x": %s}' % ("9" * 400)), 422, "invalid_request", "/network/options/x"),
    "NUL in a name of options": (_options('{"x.y": {"\\u0000": 1}}'), 422, "invalid_spec", "/network/options/x.y"),
    "deep options": (_options('{"x": ' + "[" * 70 + "]" * 70 + "}"), 422, "invalid_request", "/network/options/x" + "/0" * 61),
    "1e400 in options of data": (
        _spec(tasks=[{"kind": "plain", "dataset": {"kind": "plugin", "name": "any", "options": {"x": float("inf")}}}]),
        422,
        "invalid_request",
        "/tasks/0/dataset/options/x",
    ),
    "1e400 in options of a game": (
        json.dumps(
            {
                "kind": "reinforcement",
                "schedule": {"kind": "rounds", "num_rounds": 1, "num_steps": 1000},
                "method": {"kind": "naive"},
                "tasks": [{"kind": "gymnasium", "id": "any/Thing-v0", "options": {"x": float("inf")}}],
            }
        ),
        422,
        "invalid_request",
        "/tasks/0/options/x",
    ),
    "an infinite name": (_spec(name=float("inf")), 422, "invalid_request", "/name"),
    "infinite metadata": (_spec(metadata={"x": float("inf")}), 422, "invalid_request", "/metadata/x"),
}


@pytest.mark.parametrize(("body", "status", "code", "pointer"), CASES.values(), ids=CASES.keys())
def test_a_job_that_cannot_be_run_is_refused_by_field_and_nothing_is_written(client, database, body, status, code, pointer):
    before = _num_rows(database)
    response = client.post("/v1/jobs", content=body, headers={**JSON, "Idempotency-Key": "one"})
    _assert_problem(response, status, code)
    if pointer is not None:
        assert pointer in [item["pointer"] for item in response.json()["errors"]]
    assert _num_rows(database) == before


def test_malformed_json_is_refused_with_the_place_where_reading_stopped(client):
    detail = client.post("/v1/jobs", content='{\n  "seed": oops}', headers=JSON).json()["detail"]
    assert detail == "the body is not JSON: Expecting value at line 2, column 11 (character 12)"


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/"]
)
def test_another_content_type_than_json_is_refused(client, database, content_type):
    before = _num_rows(database)
    headers = {} if content_type is None else {"Content-Type": content_type}
    _assert_problem(client.post("/v1/jobs", content=_spec(), headers=headers), 415, "unsupported_media_type")
    assert _num_rows(database) == before


def test_a_content_type_with_a_charset_is_taken(client):
    assert (
        client.post("/v1/jobs", content=_spec(), headers={"Content-Type": "application/json; charset=utf-8"}).status_code == 201
    )


def test_a_body_over_the_limit_is_refused_by_its_announced_length(client, database):
    before = _num_rows(database)
    response = client.post("/v1/jobs", content=_spec(metadata={"a": "x" * 2 * 1024 * 1024}), headers=JSON)
    _assert_problem(response, 413, "body_too_large")
    assert response.json()["limit"] == 1024 * 1024
    assert _num_rows(database) == before


def test_a_body_over_the_limit_is_refused_while_it_comes_in_chunks(served, database):
    before = _num_rows(database)
    response = served.post("/v1/jobs", content=(b" " * 65536 for _ in range(32)), headers=JSON)
    _assert_problem(response, 413, "body_too_large")
    assert _num_rows(database) == before


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"/v1/jobs/job_{NO_ID}", 404, "not_found"),
        ("GET", "/v1/jobs/nonsense", 404, "not_found"),
        ("GET", "/v1/jobs/%00", 404, "not_found"),
        ("POST", f"/v1/jobs/job_{NO_ID}/cancel", 404, "not_found"),
        ("GET", f"/v1/checkpoints/ckpt_{NO_ID}", 404, "not_found"),
        ("GET", f"/v1/checkpoints/ckpt_{NO_ID}/content", 404, "not_found"),
        ("HEAD", f"/v1/checkpoints/ckpt_{NO_ID}/content", 404, None),
        ("DELETE", f"/v1/api-keys/key_{NO_ID}", 404, "not_found"),
        ("GET", "/v1/jobs?after=nonsense", 400, "invalid_cursor"),
        ("GET", "/v1/jobs?before=%00", 422, "invalid_spec"),
        ("GET", "/v1/jobs?limit=0", 422, "invalid_request"),
        ("GET", "/v1/jobs?limit=101", 422, "invalid_request"),
        ("GET", "/v1/jobs?limit=ten", 422, "invalid_request"),
        ("GET", "/v1/jobs?status=lost", 422, "invalid_request"),
        ("GET", "/v1/nothing", 404, "no_such_path"),
        ("GET", "/", 404, "no_such_path"),
        ("PUT", "/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/problems/nothing", 404, "not_found"),
    ],
)
def test_a_request_for_what_is_not_there_gets_a_problem(client, database, method, path, status, code):
    before = _num_rows(database)
    response = client.request(method, path)
    if code is None:
        assert response.status_code == status
    else:
        _assert_problem(response, status, code)
    assert _num_rows(database) == before


def test_a_refused_query_parameter_is_named(client):
    assert client.get("/v1/jobs?limit=0").json()["errors"][0]["parameter"] == "limit"


def test_a_wrong_method_is_told_the_right_ones(client):
    assert "POST" in client.put("/v1/jobs").headers["Allow"]


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("events", {"Last-Event-ID": "five"}, 400, "invalid_header"),
        ("events?after=-1", {}, 422, "invalid_request"),
        ("events?after=" + "9" * 30, {}, 422, "invalid_request"),
        ("metrics?max_points=1", {}, 422, "invalid_request"),
        ("checkpoints?after=nonsense", {}, 400, "invalid_cursor"),
        ("evaluations/matrix?format=xml", {}, 422, "invalid_request"),
    ],
)
def test_a_bad_question_about_a_job_gets_a_problem(client, submit, path, headers, status, code):
    _assert_problem(client.get(f"/v1/jobs/{submit()}/{path}", headers=headers), status, code)


@pytest.mark.parametrize("header", ["bytes=999-", "bytes=5-1", "bytes=x", "bytes=10-11,13-14"])
def test_a_bad_range_is_refused_with_the_size(client, submit, database, header):
    checkpoint = add_checkpoint(database, submit(), b"0123456789")
    response = client.get(f"/v1/checkpoints/{checkpoint.id}/content", headers={"Range": header})
    _assert_problem(response, 416, "range_not_satisfiable")
    assert response.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "ü".encode()])
def test_a_bad_idempotency_key_is_refused(client, database, key):
    before = _num_rows(database)
    _assert_problem(client.post("/v1/jobs", json=SPEC, headers={"Idempotency-Key": key}), 400, "invalid_header")
    assert _num_rows(database) == before


def _assert_problem(response, status: int, code: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"/problems/{code}")
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["title"]
    assert problem["detail"]


def _num_rows(database) -> dict[str, int]:
    with database.read() as work:
        tables = Base.metadata.tables
        return {
            name: work.connection.execute(select(func.count()).select_from(table)).scalar_one() for name, table in tables.items()
        }


def test_data_that_are_not_there_are_all_named_with_their_tasks(client):
    own = {"kind": "plain", "dataset": {"kind": "arrays", "path": "mine/a.npz"}}
    lost = {"kind": "plain", "dataset": {"kind": "arrays", "path": "b.npz"}}
    problem = client.post("/v1/jobs", json={**SPEC, "tasks": [*SPEC["tasks"][:1], own, lost, own]}).json()
    assert problem["code"] == "dataset_unavailable"
    assert "tasks 1, 3: data set 'a' needs the file mine/a.npz; task 2: data set 'b' needs the file b.npz" in problem["detail"]
    assert [item["pointer"] for item in problem["errors"]] == ["/tasks/1/dataset"]


def test_images_of_another_size_are_not_answered_with_a_hint_about_classes(client, submit):
    job_id = submit(stream="open")
    switch = {"action": "append", "task": {"dataset": "mnist"}}
    problem = client.post(f"/v1/jobs/{job_id}/task-switches", json=switch).json()
    assert problem["code"] == "invalid_spec"
    assert problem["detail"].endswith("one network learns them all")
