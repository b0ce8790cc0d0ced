"""From a problem document to an exception."""

from __future__ import annotations

import httpx
import pytest

from ewc_client import errors


def response(status: int, document: object) -> httpx.Response:
    return httpx.Response(status, json=document, request=httpx.Request("POST", "http://h/v1/jobs"))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_json", errors.InvalidRequestError),
        (401, "unauthorized", errors.UnauthorizedError),
        (403, "scope_missing", errors.PermissionDeniedError),
        (404, "not_found", errors.NotFoundError),
        (409, "illegal_transition", errors.IllegalTransitionError),
        (409, "stream_closed", errors.StreamClosedError),
        (409, "sequence_conflict", errors.SequenceConflictError),
        (409, "switch_not_possible", errors.ConflictError),
        (413, "body_too_large", errors.InvalidRequestError),
        (416, "range_not_satisfiable", errors.InvalidRequestError),
        (422, "invalid_spec", errors.InvalidRequestError),
        (422, "a_code_of_the_future", errors.InvalidRequestError),
        (429, "too_many", errors.RateLimitedError),
        (500, "ewc_error", errors.ServerError),
        (503, "not_ready", errors.ServerError),
    ],
)
def test_code_and_status_choose_the_exception(status: int, code: str, kind: type[errors.ApiError]) -> None:
    error = errors.error_from(response(status, {"code": code, "detail": "no", "status": status}))
    assert type(error) is kind
    assert (error.code, error.status) == (code, status)


def test_the_message_names_each_refused_field_as_a_spec_writes_it() -> None:
    items = [
        {"pointer": "/tasks/2/dataset", "code": "enum", "detail": "Input should be 'digits' or 'mnist'"},
        {"parameter": "limit", "code": "less_than_equal", "detail": "Input should be at most 100"},
    ]
    error = errors.error_from(response(422, {"code": "invalid_request", "detail": "2 values were refused", "errors": items}))
    assert str(error).splitlines() == [
        "2 values were refused (invalid_request, HTTP 422)",
        "  tasks.2.dataset: Input should be 'digits' or 'mnist'",
        "  limit: Input should be at most 100",
    ]


def test_what_the_only_refused_field_says_is_not_said_twice() -> None:
    item = {"pointer": "/job/network", "code": "job_too_large", "detail": "it is too large"}
    other = {"pointer": "/seed", "code": "job_too_large", "detail": "another"}
    document = {"code": "job_too_large", "detail": "it is too large", "errors": [item, other]}
    assert str(errors.error_from(response(422, document))).splitlines() == [
        "job.network: it is too large (job_too_large, HTTP 422)",
        "  seed: another",
    ]


def test_who_is_not_let_in_is_told_where_a_key_is_given() -> None:
    error = errors.error_from(response(401, {"code": "unauthorized", "detail": "no header"}))
    assert str(error).splitlines() == [
        "no header (unauthorized, HTTP 401)",
        "  a key is given as EWC_API_KEY or --api-key, in Python also as api_key",
    ]


def test_a_failure_of_the_service_carries_the_request_id() -> None:
    error = errors.error_from(response(500, {"code": "ewc_error", "detail": "it broke", "request_id": "req_1"}))
    assert "request id: req_1" in str(error)


def test_allowed_states_and_the_expected_sequence_are_attributes() -> None:
    illegal = errors.error_from(response(409, {"code": "illegal_transition", "detail": "no", "allowed": ["queued"]}))
    assert illegal.allowed == ("queued",)
    conflict = errors.error_from(response(409, {"code": "sequence_conflict", "detail": "no", "expected": 4}))
    assert isinstance(conflict, errors.SequenceConflictError)
    assert conflict.expected == 4


@pytest.mark.parametrize("document", [["a", "list"], "text", None])
def test_an_answer_that_is_no_problem_document_still_says_what_was_asked(document: object) -> None:
    error = errors.error_from(response(502, document))
    assert "POST http://h/v1/jobs answered 502 without a problem document" in str(error)
