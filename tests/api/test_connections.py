"""Connections that send nothing, too little or too slowly, or never read, keep nobody out."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import httpx
import pytest

from api.connections import BODY_SECONDS, HEAD_SECONDS, STALLED_SECONDS, Connections
from api.server import Server, connection_limit
from ewc_core.specs import SupervisedSpec
from store.unit_of_work import Database
from tests.api.conftest import listening, make_key, settings_for
from tests.api.lives import SPEC, add_checkpoint

NUM_DESCRIPTORS = 256
NUM_SILENT = 280


def _connect(port: int, sent: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(sent)
    return connection


def _was_cut(connection: socket.socket) -> bool:
    """Whether the service ends the connection, whatever it has sent before."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


@pytest.fixture
def world(sqlite_url, tmp_path):
    """A listening server, its database, its port and a key."""
    database = Database(sqlite_url)
    with listening(settings_for(sqlite_url, tmp_path)) as server:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield server, database, port, make_key(database, owner="someone")
    database.close()


def _in_loop(server: Server, action: Callable[[], object]) -> None:
    done = threading.Event()
    server.servers[0].get_loop().call_soon_threadsafe(lambda: (action(), done.set()))
    assert done.wait(10)


def _after(server: Server, seconds: float) -> None:
    """Let the server look at its connections as if so much time had passed, all of a sudden."""
    guard, connections = server.guard, server.server_state.connections
    _in_loop(server, lambda: guard.cut_late(connections))
    now = time.monotonic()
    guard.clock = lambda: now + seconds
    _in_loop(server, lambda: guard.cut_late(connections))


def test_a_request_that_does_not_come_is_waited_for_only_so_long(world):
    server, _, port, key = world
    authorization = f"Authorization: Bearer {key}\r\n".encode()
    late = {
        "silent": b"",
        "half a request line": b"GET /heal",
        "half the headers": b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
        "idle after an answer": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "half the next head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /h",
        "half a body": b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + authorization
        + b'Content-Length: 100\r\n\r\n{"',
        "a chunk that stops": b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        + authorization
        + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    }
    job = httpx.post(f"http://127.0.0.1:{port}/v1/jobs", json=SPEC, headers={"Authorization": f"Bearer {key}"}).json()
    with ExitStack() as stack:
        stream = stack.enter_context(
            httpx.stream(
                "GET",
                f"http://127.0.0.1:{port}/v1/jobs/{job['id']}/events",
                headers={"Authorization": f"Bearer {key}", "Accept": "text/event-stream"},
            )
        )
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        opened = {name: stack.enter_context(_connect(port, sent)) for name, sent in late.items()}
        assert opened["idle after an answer"].recv(12) == b"HTTP/1.1 200"
        assert opened["half the next head"].recv(12) == b"HTTP/1.1 200"
        while len(server.guard.waiting) != 5:
            assert httpx.get(f"http://127.0.0.1:{port}/healthz", headers={"Connection": "close"}).status_code == 200
        _after(server, max(HEAD_SECONDS, BODY_SECONDS) + 1)
        assert {name for name, connection in opened.items() if not _was_cut(connection)} == set()
        assert server.guard.waiting == {}
        assert len(server.server_state.connections) == 1, "the event stream, which has nothing to do but wait, stays"


def test_a_slow_body_that_keeps_coming_is_taken(world):
    server, _, port, key = world
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer {key}\r\n"
    with _connect(port, f"{head}Content-Length: 30002\r\n\r\n".encode()) as connection:
        while server.guard.waiting or not server.server_state.connections:
            pass
        connection.sendall(b" " * 30_000)
        [guarded] = server.server_state.connections
        while guarded._num_body_bytes < 30_000:
            pass
        _after(server, BODY_SECONDS + 9)
        connection.sendall(b"{}")
        assert connection.recv(12) == b"HTTP/1.1 422"


def test_a_client_that_never_reads_its_download_is_cut(world):
    server, database, port, key = world
    with database.write() as work:
        job_id = work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="someone").id
    checkpoint = add_checkpoint(database, job_id, bytes(24 * 1024 * 1024))
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.settimeout(20)
        reader.connect(("127.0.0.1", port))
        path = f"/v1/checkpoints/{checkpoint.id}/content"
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        while not any(one.flow.write_paused for one in list(server.server_state.connections)):
            pass
        _after(server, STALLED_SECONDS - 1)
        assert _is_open(reader)
        _in_loop(server, lambda: None)
        _after(server, 2 * STALLED_SECONDS)
        reader.setblocking(True)
        assert _was_cut(reader)


def test_over_the_limit_the_connection_that_has_waited_longest_makes_room(world):
    server, _, port, _ = world
    server.guard.limit = 3
    with ExitStack() as stack:
        silent = [stack.enter_context(_connect(port)) for _ in range(3)]
        while len(server.guard.waiting) < 3:
            pass
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        assert _was_cut(silent[0])
        assert [_is_open(connection) for connection in silent[1:]] == [True, True]


def test_when_everybody_else_is_at_work_the_newest_connection_goes():
    guard = Connections(limit=0)
    cut = []

    class Newest:
        num_unsent = 0

        def cut(self) -> None:
            cut.append(self)

    newest = Newest()
    guard.waiting[newest] = 0.0  # type: ignore[index]  # a stand-in
    guard.make_room(1)
    assert cut == [newest]


@pytest.mark.parametrize(("num_descriptors", "limit"), [(64, 32), (256, 128), (1024, 896), (1 << 20, 8192), (-1, 8192), (1, 1)])
def test_the_limit_leaves_descriptors_for_everything_else(num_descriptors, limit):
    assert connection_limit(num_descriptors) == limit


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n" * 20000,
        b"GET / HTTP/1.1\r\nX: " + b"x" * 70000,
    ],
    ids=["tls", "http2", "blank-lines", "huge-header"],
)
def test_what_is_no_request_is_ended_and_hurts_nobody(world, sent):
    _, _, port, _ = world
    with _connect(port) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(sent)
        if sent.strip():
            assert _was_cut(connection)
    assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200


def test_pipelined_requests_are_answered_in_order_and_http_1_0_is_closed(world):
    _, _, port, _ = world
    with _connect(
        port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    ) as one:
        text = b"".join(iter(lambda: one.recv(65536), b""))
    assert text.count(b"HTTP/1.1 200") == 2
    assert text.index(b'"status":"ok"') < text.index(b"schema_revision")
    with _connect(port, b"GET /healthz HTTP/1.0\r\n\r\n") as old:
        assert b'"status":"ok"' in b"".join(iter(lambda: old.recv(65536), b""))


def test_more_silent_sockets_than_descriptors_do_not_keep_others_out_and_fill_no_log(sqlite_url, tmp_path):
    environment = {"EWC_DATABASE_URL": sqlite_url, "EWC_API_PORT": "0", "EWC_STATE_DIR": str(tmp_path)}
    log = tmp_path / "log"

    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, NUM_DESCRIPTORS))

    with log.open("w") as stderr, ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], env={**os.environ, **environment}, stderr=stderr, preexec_fn=few_descriptors
        )
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while "listening on" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        port = int(log.read_text().split("127.0.0.1:")[1].split()[0])
        for _ in range(NUM_SILENT):
            stack.enter_context(_connect(port))
        for path in ("healthz", "readyz"):
            assert httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=10).status_code == 200
    assert len(log.read_text().splitlines()) == 3, "one line for each answer, and that it listens"


def _answers_to(port: int, sent: bytes) -> bytes:
    """Everything that comes until the service ends the connection, of which the client has ended its own half."""
    with _connect(port, sent) as connection:
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_a_client_that_sends_no_more_gets_the_answer_to_what_it_has_sent(world):
    _, _, port, key = world
    head = f"Host: x\r\nAuthorization: Bearer {key}\r\n"
    listed = f"GET /v1/jobs HTTP/1.1\r\n{head}\r\n".encode()
    assert _answers_to(port, listed).startswith(b"HTTP/1.1 200 OK")
    assert _answers_to(port, 3 * listed).count(b"HTTP/1.1 200 OK") == 3
    posted = f"POST /v1/jobs HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n".encode()
    assert _answers_to(port, posted + b"{}").startswith(b"HTTP/1.1 422 ")
    assert _answers_to(port, posted + b"{") == b""
    assert _answers_to(port, listed[:20]) == b""


@pytest.mark.parametrize("target", ["http://any.host:1/v1/jobs?limit=1", "HTTP://any.host/v1%2Fjobs", "/v1/jobs"])
def test_a_target_may_be_a_whole_url(world, target):
    _, _, port, key = world
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    assert _answers_to(port, request).startswith(b"HTTP/1.1 200 OK")


def test_a_whole_url_without_a_path_is_the_root(world):
    _, _, port, _ = world
    assert b'"instance":"/"' in _answers_to(port, b"GET http://any.host HTTP/1.1\r\nHost: x\r\n\r\n")
