"""HTTP with retries that are safe: every POST carries an Idempotency-Key, so that a repetition has one effect."""

from __future__ import annotations

import ipaddress
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from ewc_client.errors import ConfigurationError, ServiceUnreachableError, error_from
from ewc_client.visible_text import visible

RETRY_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and after how long, a request is repeated.

    Waits are `first_wait_seconds` doubled per attempt, at most `longest_wait_seconds`, times a random factor in
    [0.5, 1]; a Retry-After of the service is obeyed up to `longest_retry_after_seconds`.
    """

    num_retries: int = 4
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 8.0
    longest_retry_after_seconds: float = 60.0

    def wait_seconds(self, attempt: int, retry_after: str | None = None) -> float:
        """The wait after failed attempt `attempt` (counted from 0)."""
        if retry_after is not None and retry_after.strip().isdigit():
            return min(float(retry_after), self.longest_retry_after_seconds)
        wait = min(self.first_wait_seconds * 2.0**attempt, self.longest_wait_seconds)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 jitter, not a secret


class Transport:
    """Sends requests to one service with one API key."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        timeout_seconds: float = 30.0,
        retries: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = _checked_url(url)
        self.retries = retries or RetryPolicy()
        self.sleep = sleep
        headers = {"User-Agent": "ewc-client/0.2.0", "Accept": "application/json"}
        if api_key is not None:
            if not (api_key.isascii() and api_key.isprintable()):
                raise ConfigurationError("the API key has characters in it that no key has; expected 'ewc_live_...'")
            headers["Authorization"] = f"Bearer {api_key}"
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(timeout_seconds, connect=5.0),
            trust_env=not is_loopback(self.url),  # a proxy from the environment cannot reach this machine's own address
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One answer with a status below 400.

        Raises:
            ConfigurationError: a text in it cannot be sent.
            ApiError: the service answered with a problem that a repetition does not change, or did so every time.
            ServiceUnreachableError: no answer after every retry.
        """
        sent = dict(headers or {})
        if method == "POST":
            sent.setdefault("Idempotency-Key", uuid.uuid4().hex)
        query = {name: value for name, value in (params or {}).items() if value is not None}
        attempt = 0
        while True:
            last = attempt >= self.retries.num_retries
            try:
                with _sendable_text():
                    request = self._http.build_request(method, path, json=json, params=query, headers=sent)
                response = self._http.send(request)
            except httpx.TransportError as error:
                if last:
                    raise self.unreachable(error) from error
                self.sleep(self.retries.wait_seconds(attempt))
            else:
                if response.is_success:
                    return response
                if last or not _worth_repeating(response):
                    raise error_from(response)
                self.sleep(self.retries.wait_seconds(attempt, response.headers.get("Retry-After")))
            attempt += 1

    @contextmanager
    def stream(
        self, path: str, *, headers: Mapping[str, str], read_timeout_seconds: float | None = None
    ) -> Iterator[httpx.Response]:
        """One streamed GET without retries: who reads the stream knows where to go on.

        Raises:
            ApiError: the service answered with a problem.
            httpx.TransportError: the connection failed or broke.
        """
        timeout = httpx.Timeout(read_timeout_seconds, connect=5.0) if read_timeout_seconds else httpx.USE_CLIENT_DEFAULT
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if not response.is_success:
                response.read()
                raise error_from(response)
            yield response

    def unreachable(self, error: httpx.TransportError) -> ServiceUnreachableError:
        """The error to raise when every retry has failed with `error`."""
        return ServiceUnreachableError(f"no answer from {self.url}: {str(error) or type(error).__name__}")


@contextmanager
def _sendable_text() -> Iterator[None]:
    """Bytes that are no UTF-8 reach a program from its command line as halves of surrogate pairs."""
    try:
        yield
    except UnicodeEncodeError as error:
        wrong = visible(error.object[error.start : error.end])
        raise ConfigurationError(f"a text with '{wrong}' in it cannot be sent: it is not {error.encoding.upper()}") from error


def _worth_repeating(response: httpx.Response) -> bool:
    """Overload and gateways; and a repeated POST whose first copy the service is still working on."""
    return response.status_code in RETRY_STATUSES or (response.status_code == 409 and "Retry-After" in response.headers)


def path_part(identifier: str) -> str:
    """An id as one part of a path, whatever a user has written for it: the service says that there is none such."""
    return quote(identifier, safe="", errors="surrogatepass")


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and parts.port != 0
    except ValueError:  # brackets that hold no IPv6 address, a port that is no number
        is_one = False
    if not is_one or parts.query or parts.fragment:
        raise ConfigurationError(
            f"service URL {url!r} is not one; expected something like 'http://127.0.0.1:8000' or 'https://host/path'"
        )
    return url.rstrip("/").removesuffix("/v1")


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine by a loopback address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, not an address
        return False
