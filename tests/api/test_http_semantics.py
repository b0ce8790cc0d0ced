"""Methods, conditions and forms of answers as RFC 9110 has them."""

from __future__ import annotations

import pytest

from ewc_core.specs import SupervisedSpec
from store.job_states import JobStatus
from tests.api.lives import SPEC, add_checkpoint, bring_to

EVERY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")
DATA = bytes(range(200))


def _methods(app) -> dict[str, set[str]]:
    """What each path has, by the document."""
    return {path: {method.upper() for method in operations} for path, operations in app.openapi()["paths"].items()}


def test_every_path_names_all_its_methods_when_another_is_asked_for(app, client):
    for path, has in _methods(app).items():
        allowed = sorted(has | {"OPTIONS"} | ({"HEAD"} if "GET" in has else set()))
        for method in set(EVERY_METHOD) - set(allowed):
            refused = client.request(method, path)
            assert refused.status_code == 405, (method, path)
            assert refused.headers["Allow"] == ", ".join(allowed), (method, path)
            if method != "HEAD":
                assert (refused.json()["code"], refused.json()["allowed_methods"]) == ("method_not_allowed", allowed)


def test_options_answers_with_the_methods_and_asks_for_no_key(app, anonymous):
    for path, has in _methods(app).items():
        answer = anonymous.options(path)
        assert (answer.status_code, answer.content) == (204, b"")
        assert set(answer.headers["Allow"].split(", ")) >= has
    assert anonymous.options("/v1/nothing").status_code == 404


@pytest.fixture
def walked(client, submit, database):
    """Paths of every kind of answer to GET, for things that exist."""
    job_id = submit(stream="open")
    bring_to(database, job_id, JobStatus.RUNNING)
    checkpoint_id = add_checkpoint(database, job_id, DATA).id
    ids = {"job_id": job_id, "checkpoint_id": checkpoint_id, "code": "not_found", "sweep_id": "absent", "task_index": "0"}
    return lambda path: path.format(**ids)


def test_head_has_the_status_and_the_headers_of_get_and_no_content(app, client, walked):
    for path, has in [*_methods(app).items(), ("/docs", {"GET"}), ("/openapi.json", {"GET"}), ("/v1/nothing", {"GET"})]:
        if "GET" not in has:
            continue
        whole, head = client.get(walked(path)), client.head(walked(path))
        assert (head.status_code, head.content) == (whole.status_code, b""), path
        same = set(whole.headers) - {"x-request-id", "content-length"}
        assert {name: head.headers.get(name) for name in same} == {name: whole.headers[name] for name in same}, path
        if path not in {"/readyz", "/v1/workers"} and whole.status_code == 200:
            assert head.headers.get("Content-Length") == whole.headers.get("Content-Length"), path


def test_the_head_of_a_stream_ends(served, database, owner):
    job_id = served.post("/v1/jobs", json=SPEC).json()["id"]
    head = served.head(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/event-stream"})
    assert head.headers["Content-Type"].startswith("text/event-stream")
    assert served.get("/healthz").status_code == 200


@pytest.fixture
def content(database, owner, client):
    with database.write() as work:
        job_id = work.jobs.create(SupervisedSpec.model_validate(SPEC), owner=owner).id
    return f"/v1/checkpoints/{add_checkpoint(database, job_id, DATA).id}/content"


def test_a_range_is_ignored_in_head(client, content):
    head = client.head(content, headers={"Range": "bytes=0-9"})
    assert (head.status_code, head.headers["Content-Length"]) == (200, "200")
    assert client.head(content, headers={"Range": "bytes=900-"}).status_code == 200


@pytest.mark.parametrize("last", ["199", "200", "9" * 24, "9" * 5000])
def test_a_range_beyond_the_end_ends_at_the_end(client, content, last):
    answer = client.get(content, headers={"Range": f"bytes=190-{last}"})
    assert (answer.status_code, answer.content) == (206, DATA[190:])
    assert answer.headers["Content-Range"] == "bytes 190-199/200"


def test_weak_tags_and_dates_do_not_make_a_range_count(client, content):
    tag = client.head(content).headers["ETag"]
    for condition in (f"W/{tag}", "Sat, 28 Nov 2026 12:00:00 GMT", "*"):
        assert client.get(content, headers={"Range": "bytes=0-9", "If-Range": condition}).status_code == 200
    assert client.get(content, headers={"Range": "bytes=0-9", "If-Range": tag}).status_code == 206


def test_what_has_not_changed_keeps_its_caching_headers(client, content):
    whole = client.get(content)
    same = client.get(content, headers={"If-None-Match": whole.headers["ETag"], "Range": "bytes=0-9"})
    assert (same.status_code, same.content) == (304, b"")
    assert {name: same.headers[name] for name in ("ETag", "Cache-Control")} == {
        name: whole.headers[name] for name in ("ETag", "Cache-Control")
    }


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("application/json;q=0.1, TEXT/CSV; q=0.9", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "application/json"),
        ("text/csv;q=nonsense", "application/json"),
        ("", "application/json"),
    ],
)
def test_a_matrix_comes_in_the_form_that_is_preferred(client, submit, database, accept, form):
    job_id = submit()
    answer = client.get(f"/v1/jobs/{job_id}/evaluations/matrix", headers={"Accept": accept})
    assert answer.headers["Content-Type"].partition(";")[0] == form
    assert answer.headers["Vary"] == "Accept"
    fixed = client.get(f"/v1/jobs/{job_id}/evaluations/matrix?format=json", headers={"Accept": accept})
    assert fixed.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("accept", ["application/json, text/event-stream;q=0.1", "text/event-stream;q=0", "*/*"])
def test_events_come_as_a_page_unless_a_stream_is_preferred(client, submit, accept):
    answer = client.get(f"/v1/jobs/{submit()}/events", headers={"Accept": accept})
    assert answer.json()["object"] == "list"
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    "path", ["/v1/jobs/", "//v1/jobs", "/v1//jobs", "/v1/jobs/a%2Fb", "/v1", "/", "/healthz/", "/v1/jobs/%2e%2e/keys"]
)
def test_a_path_that_is_not_one_of_ours_is_not_found_and_leads_nowhere(client, path):
    for method in ("GET", "POST", "HEAD", "OPTIONS"):
        answer = client.request(method, path, follow_redirects=False)
        assert (answer.status_code, "Location" in answer.headers) == (404, False), method


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", None])
def test_a_body_that_does_not_say_it_is_json_is_refused_with_what_is_taken(client, media_type):
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = client.post("/v1/jobs", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["Accept"]) == (415, "application/json")


def test_what_is_not_ready_says_when_to_come_back(client, monkeypatch):
    monkeypatch.setattr("api.operations.routes.checks", lambda services: ({"database": "not reachable"}, None))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
