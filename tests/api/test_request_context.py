"""Request ids, the log, and unexpected failures."""

from __future__ import annotations

import logging

import pytest

from store.repositories.jobs import Jobs


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger="api")
    return caplog


def _lines(log) -> list[str]:
    return [record.getMessage() for record in log.records if record.name.startswith("api")]


def test_every_answer_has_a_request_id_and_a_good_one_is_kept(anonymous):
    assert anonymous.get("/healthz").headers["X-Request-ID"].startswith("req_")
    assert anonymous.get("/nothing", headers={"X-Request-ID": "abc-1.2_3"}).headers["X-Request-ID"] == "abc-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "x" * 129, '{"json":1}'])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(anonymous, given):
    assert anonymous.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"].startswith("req_")


def test_a_client_error_is_one_line_in_the_log(client, log):
    client.get("/v1/jobs/absent")
    client.post("/v1/jobs", content="{", headers={"Content-Type": "application/json"})
    lines = _lines(log)
    assert len(lines) == 2
    assert lines[0].startswith("GET /v1/jobs/absent 404 ")
    assert lines[1].startswith("POST /v1/jobs 400 ")
    assert not any(record.exc_info for record in log.records)


def test_a_path_with_a_line_break_stays_one_line(anonymous, log):
    anonymous.get("/a%0aGET%20/v1/jobs%20200")
    assert [line.count("\n") for line in _lines(log)] == [0]


def test_no_key_and_no_query_gets_into_the_log(client, log):
    client.get("/v1/jobs?limit=7")
    (line,) = _lines(log)
    assert line.startswith("GET /v1/jobs 200 ")
    assert "limit" not in line
    assert "ewc_live" not in line


def test_an_unexpected_failure_is_a_problem_without_internals_and_one_record_with_the_request_id(client, log, monkeypatch):
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("a secret of the service")

    monkeypatch.setattr(Jobs, "page", fail)
    response = client.get("/v1/jobs")
    assert (response.status_code, response.json()["code"]) == (500, "ewc_error")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "secret" not in response.text
    errors = [record for record in log.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert response.json()["request_id"] in errors[0].getMessage()
    assert errors[0].exc_info is not None
