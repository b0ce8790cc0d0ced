"""Server-sent events: the parser, and a stream that survives cut connections without a gap or a duplicate."""

from __future__ import annotations

import codecs
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import httpx

from ewc_client.errors import ApiError, ServerError, problem_error
from ewc_client.models import Event
from ewc_client.transport import RETRY_STATUSES, Transport

_SILENCE_SECONDS = 45.0  # three heartbeats of the service


@dataclass(frozen=True)
class Message:
    """One dispatched message of a stream, or a comment, whose `event` is empty. `retry` (milliseconds) may come alone."""

    event: str
    data: str
    retry: int | None = None


def parse(chunks: Iterable[bytes]) -> Iterator[Message]:
    """Messages of a `text/event-stream` body, per the WHATWG grammar; an unfinished message at the end is dropped."""
    event, data, retry = "", list[str](), None
    for line in _lines(chunks):
        if line == "":
            if data or retry is not None:
                yield Message(event or "message", "\n".join(data), retry)
            event, data, retry = "", [], None
            continue
        if line.startswith(":"):
            yield Message("", "")
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "retry" and value.isdigit():
            retry = int(value)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines that end in LF, CR LF or CR only; `str.splitlines` would also cut at separators that JSON may contain."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        text = rest + decoder.decode(chunk)
        held = text.endswith("\r")  # its LF may come with the next chunk
        body = text[:-1] if held else text
        *lines, rest = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest += "\r" if held else ""
        yield from lines


class EventStream:
    """Events of one job from after `after` to the job's end, over as many connections as it takes.

    `on_reconnect` is called with the error that broke a connection, before the wait for the next one; `on_silence`
    whenever the service says that there is nothing new. Iteration ends after the service's `done`.
    """

    def __init__(
        self,
        transport: Transport,
        job_id: str,
        *,
        after: int = 0,
        give_up_seconds: float = 300.0,
        on_reconnect: Callable[[Exception], None] | None = None,
        on_silence: Callable[[], None] | None = None,
    ) -> None:
        self._transport = transport
        self._path = f"/v1/jobs/{job_id}/events"
        self._last_seq = after
        self._give_up_seconds = give_up_seconds
        self._on_reconnect = on_reconnect
        self._on_silence = on_silence
        self._retry_seconds = 2.0
        self._done = False
        self._failing_since: float | None = None

    def __iter__(self) -> Iterator[Event]:
        """
        Raises:
            ApiError: the service refuses the stream, or ends it because the API key was revoked.
            ServiceUnreachableError: no connection for `give_up_seconds`.
        """
        attempt = 0
        while True:
            try:
                for event in self._one_connection():
                    attempt = 0
                    yield event
                broken: Exception = ConnectionError("the service ended the stream before the job's end")
            except httpx.TransportError as error:
                if self._has_failed_too_long():
                    raise self._transport.unreachable(error) from error
                broken = error
            except ApiError as error:
                if error.status not in RETRY_STATUSES or self._has_failed_too_long():
                    raise
                broken = error
            if self._done:
                return
            self._pause(attempt, broken)
            attempt += 1

    def _has_failed_too_long(self) -> bool:
        """Whether the last connection that was made was lost `give_up_seconds` ago. A long silence is not a failure."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since >= self._give_up_seconds

    def _one_connection(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", "Last-Event-ID": str(self._last_seq)}
        with self._transport.stream(self._path, headers=headers, read_timeout_seconds=_SILENCE_SECONDS) as response:
            self._failing_since = None
            for message in parse(response.iter_bytes()):
                if message.retry is not None:
                    self._retry_seconds = message.retry / 1000
                if message.event == "done":
                    self._done = True
                    return
                if not message.event and self._on_silence is not None:
                    self._on_silence()
                if not message.data:
                    continue
                if message.event == "error":
                    raise _refusal_of(message)
                event = _event_of(message)
                if event.seq > self._last_seq:
                    self._last_seq = event.seq
                    yield event

    def _pause(self, attempt: int, broken: Exception) -> None:
        """Wait for a random part of what the service asked for, longer after each failure in a row."""
        if self._on_reconnect is not None:
            self._on_reconnect(broken)
        longest = min(self._retry_seconds * 2**attempt, 10.0)
        self._transport.sleep(longest * random.uniform(0.3, 1.0))  # noqa: S311 jitter, not a secret


def _refusal_of(message: Message) -> ApiError:
    """The problem with which the service ends a stream that it had let in."""
    try:
        problem = json.loads(message.data)
        return problem_error(int(problem["status"]), problem)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServerError(200, {"code": "malformed_event", "detail": f"the stream ended with {message.data[:200]!r}"})


def _event_of(message: Message) -> Event:
    try:
        return Event.from_body(json.loads(message.data))
    except (ValueError, KeyError, TypeError) as error:
        problem = {
            "code": "malformed_event",
            "detail": f"event {message.event!r} cannot be read ({error!r}): {message.data[:200]!r}",
        }
        raise ServerError(200, problem) from error
