"""Retries, and what is sent with them."""

from __future__ import annotations

import socket

import httpx
import pytest

from ewc_client.errors import ConfigurationError, InvalidRequestError, ServerError, ServiceUnreachableError
from ewc_client.transport import RetryPolicy, Transport, is_loopback
from tests.ewc_client.conftest import QUICK
from tests.ewc_client.scripted_server import Answer, Asked, ScriptedServer, json_answer

PROBLEM = {"code": "not_ready", "detail": "the database is not there", "status": 503}


def failing_twice(status: int, **headers: str) -> ScriptedServer:
    def answer(asked: Asked, number: int) -> Answer:
        return json_answer(PROBLEM, status, **headers) if number < 2 else json_answer({"ok": True})

    return ScriptedServer(answer)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_request_that_fails_twice_succeeds_the_third_time(status: int) -> None:
    with failing_twice(status) as server:
        transport = Transport(server.url, None, retries=QUICK)
        assert transport.request("GET", "/v1/x").json() == {"ok": True}
        transport.close()
        assert len(server.asked) == 3


def test_every_repetition_of_a_post_carries_the_same_idempotency_key() -> None:
    with failing_twice(503) as server:
        transport = Transport(server.url, "ewc_live_x", retries=QUICK)
        transport.request("POST", "/v1/x", json={"a": 1})
        transport.request("POST", "/v1/x", json={"a": 1})
        transport.close()
    keys = [asked.headers["Idempotency-Key"] for asked in server.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert {asked.headers["Authorization"] for asked in server.asked} == {"Bearer ewc_live_x"}


def test_a_wait_that_the_service_asks_for_is_waited() -> None:
    waits: list[float] = []
    with failing_twice(429, Retry_After="7") as server:
        transport = Transport(server.url, None, sleep=waits.append)
        transport.request("GET", "/v1/x")
        transport.close()
    assert waits == [7.0, 7.0]


def test_a_post_that_the_service_is_still_working_on_is_asked_for_again() -> None:
    with failing_twice(409, Retry_After="0") as server:
        transport = Transport(server.url, None, retries=QUICK)
        transport.request("POST", "/v1/x", json={})
        transport.close()
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 404, 409, 422, 500])
def test_an_answer_that_a_repetition_does_not_change_is_not_repeated(status: int) -> None:
    with failing_twice(status) as server:
        transport = Transport(server.url, None, retries=QUICK)
        with pytest.raises(Exception, match="the database is not there"):
            transport.request("GET", "/v1/x")
        transport.close()
        assert len(server.asked) == 1


def test_a_service_that_never_recovers_gives_its_last_problem() -> None:
    with ScriptedServer(lambda asked, number: json_answer(PROBLEM, 503)) as server:
        transport = Transport(server.url, None, retries=QUICK)
        with pytest.raises(ServerError, match="not_ready, HTTP 503"):
            transport.request("GET", "/v1/x")
        transport.close()
        assert len(server.asked) == 1 + QUICK.num_retries


def test_nobody_listening_is_said_with_the_url() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    transport = Transport(url, None, retries=QUICK)
    with pytest.raises(ServiceUnreachableError, match=f"no answer from {url}"):
        transport.request("GET", "/v1/x")
    transport.close()


def test_a_redirect_is_not_an_answer() -> None:
    with ScriptedServer(lambda asked, number: Answer(307, b"", {"Location": "/elsewhere"})) as server:
        transport = Transport(server.url, None, retries=QUICK)
        with pytest.raises(InvalidRequestError, match="307 without a problem document"):
            transport.request("GET", "/v1/x")
        transport.close()


def test_waits_double_up_to_a_limit_and_are_never_in_step() -> None:
    policy = RetryPolicy(first_wait_seconds=1.0, longest_wait_seconds=4.0)
    for attempt, longest in enumerate([1.0, 2.0, 4.0, 4.0, 4.0]):
        waits = {policy.wait_seconds(attempt) for _ in range(50)}
        assert all(longest / 2 <= wait <= longest for wait in waits)
        assert len(waits) > 10


def test_a_retry_after_is_bounded_and_a_malformed_one_ignored() -> None:
    policy = RetryPolicy(longest_retry_after_seconds=60.0)
    assert policy.wait_seconds(0, "100000") == 60.0
    assert policy.wait_seconds(0, "Wed, 21 Oct 2015 07:28:00 GMT") <= policy.first_wait_seconds


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "", "http://"])
def test_what_is_not_a_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="service URL"):
        Transport(url, None)


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_a_url_may_end_in_v1_or_a_slash(url: str) -> None:
    transport = Transport(url, None)
    assert transport.url == "http://h:1"
    transport.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://10.0.0.1", False),
        ("https://h", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with ScriptedServer(lambda asked, number: json_answer({"ok": True})) as server:
        transport = Transport(server.url, None, retries=RetryPolicy(num_retries=0))
        assert transport.request("GET", "/v1/x").status_code == httpx.codes.OK
        transport.close()


@pytest.mark.parametrize("url", ["ftp://h", "http://", "http://[x", "http://h:port", "http://\x1b[31m", "http://h\n", "h:8000"])
def test_a_url_that_is_none_is_refused_in_visible_text(url):
    with pytest.raises(ConfigurationError, match="is not one") as refused:
        Transport(url, None)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("key", ["ключ", "a\nb", "\x1b"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key):
    with pytest.raises(ConfigurationError, match="characters in it that no key has") as refused:
        Transport("http://127.0.0.1:1", key)
    assert key not in str(refused.value)


@pytest.mark.parametrize(("path", "body"), [("/v1/jobs/\udcff", None), ("/v1/jobs", {"name": "\ud800"})])
def test_a_text_that_is_no_unicode_is_refused_before_it_is_sent(path, body):
    transport = Transport("http://127.0.0.1:1", None)
    with pytest.raises(ConfigurationError, match=r"a text with '\\ud(800|cff)' in it cannot be sent"):
        transport.request("POST", path, json=body)
    transport.close()
