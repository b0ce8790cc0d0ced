"""`ewc up` as a process: it starts real children and leaves none behind, however it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from ewc_client import EWCClient
from ewc_client.embedded import EmbeddedError, EmbeddedService
from ewc_client.embedded.service import children_environment
from ewc_client.embedded.state_directory import StateDirectory
from ewc_client.service_location import find_service
from tests.backends.redis import RedisServer
from tests.inherited_signals import as_nohup_does

COMMAND = [sys.executable, "-c", "from ewc_client.cli import main; main()", "up", "--output", "json"]
Up = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """Starts `ewc up` on the test's state directory; whatever is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def _start(*arguments: str, nohup: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            preexec_fn=as_nohup_does if nohup else None,
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        for left in family(process.pid):
            left.kill()
        process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str]) -> str:
    """The URL, once the service has announced it."""
    assert process.stdout is not None
    lines: list[str] = []
    while "}" not in (lines[-1] if lines else ""):
        line = process.stdout.readline()
        assert line, "it ended before it was ready"
        lines.append(line)
    return str(json.loads("".join(lines))["url"])


def family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_until_gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, timeout=30)
    assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []


def test_up_serves_with_the_key_it_made_and_stops_when_asked_also_under_nohup(up: Up, tmp_path: Path) -> None:
    process = up(nohup=True)
    url = ready(process)
    process.send_signal(signal.SIGHUP)
    location = find_service()
    assert location is not None
    assert location.url == url
    assert (tmp_path / "state" / "api_key").stat().st_mode & 0o777 == 0o600
    with EWCClient() as client:
        assert list(client.jobs.list()) == []
    children = family(process.pid)
    assert len(children) >= 3
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=40) == 0
    wait_until_gone(children)
    assert not (tmp_path / "state" / "service.json").exists()
    assert find_service() is None


def test_a_second_up_on_the_same_state_directory_is_refused(up: Up, tmp_path: Path) -> None:
    url = ready(up())
    key, mode = state_files(tmp_path)
    for _ in range(2):
        second = up()
        out, err = second.communicate(timeout=30)
        assert (second.returncode, out, len(err.splitlines())) == (4, "", 1)
        assert "already runs on" in err
        assert url in err
        location = find_service()
        assert location is not None, "who is refused leaves the first one's address alone"
        assert location.url == url
    assert state_files(tmp_path) == (key, mode)


def state_files(tmp_path: Path) -> tuple[str, int]:
    return (tmp_path / "state" / "api_key").read_text(), (tmp_path / "state").stat().st_mode


def test_kill_9_of_up_leaves_no_process_behind(up: Up) -> None:
    process = up()
    ready(process)
    children = family(process.pid)
    process.kill()
    process.wait()
    wait_until_gone(children)
    assert find_service() is None


def test_up_runs_on_postgresql_and_redis(
    up: Up, postgresql_url: str, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.empty()
    monkeypatch.setenv("EWC_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("EWC_BROKER_URL", redis_server.url)
    ready(up())
    with EWCClient() as client:
        job = client.jobs.create({"method": {"kind": "naive"}, "tasks": [{"dataset": "digits"}]})
        assert job.wait(timeout_seconds=60).status == "succeeded"
    assert not (tmp_path / "state" / "ewc.db").exists()


def test_a_killed_api_comes_back_at_the_same_url_and_ctrl_c_stops_it(up: Up) -> None:
    process = up()
    url = ready(process)
    [api] = [child for child in family(process.pid) if child.cmdline()[1:3] == ["-m", "api"]]
    api.kill()
    assert process.stderr is not None
    said = next(line for line in process.stderr if not line.startswith("port "))  # 8000 may be taken on this machine
    assert said.startswith("api died (SIGKILL); starting it again in 0.5 s.")
    deadline = time.monotonic() + 30
    while not answers(url):
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=40) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def test_a_port_that_was_asked_for_and_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedError, match=f"port {port} on 127.0.0.1 is taken"):
            EmbeddedService(tmp_path / "state", port=port, say=lambda line: None).start()
    assert not (tmp_path / "state" / "service.json").exists()


def test_services_that_start_at_the_same_time_never_share_a_port(tmp_path: Path) -> None:
    services = [EmbeddedService(tmp_path / f"state-{number}", say=lambda line: None) for number in range(2)]
    starting = [threading.Thread(target=service.start) for service in services]
    try:
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        assert len({service.url for service in services}) == 2
        for service in services:
            with EWCClient(url=service.url, api_key=service.location.api_key) as client:
                assert list(client.jobs.list()) == []
    finally:
        for service in services:
            service.stop()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"EWC_WORKER_SLOTS": "many"}, r"the worker cannot start: EWC_WORKER_SLOTS is 'many'"),
        pytest.param(
            {"EWC_API_ROOT_PATH": "no/slash"},
            r"the API cannot start: EWC_API_ROOT_PATH is 'no/slash'",
            marks=pytest.mark.nightly,
        ),
        ({"EWC_API_PORT": "²"}, r"EWC_API_PORT is '²'; expected a port number"),
        ({"EWC_API_HOST": "a..b"}, r"'a\.\.b' \(EWC_API_HOST\) cannot be listened on"),
    ],
    ids=["worker", "api", "port", "host"],
)
def test_a_wrong_setting_is_one_line_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, str], says: str
) -> None:
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    before = {process.pid for process in family(os.getpid())}
    with pytest.raises(EmbeddedError, match=rf"^{says}[^\n]*$"):
        EmbeddedService(tmp_path / "state", say=lambda line: None).start()
    assert {process.pid for process in family(os.getpid())} == before
    assert not (tmp_path / "state" / "service.json").exists()
    assert find_service() is None


def test_what_the_user_has_set_wins_and_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    state = StateDirectory(tmp_path / "state")
    user = {"EWC_DATABASE_URL": "postgresql+psycopg://h/d", "EWC_DATA_DIR": "data", "OTHER": "x"}
    made = children_environment(user, state, host="127.0.0.1", port=8001)
    assert made["EWC_DATABASE_URL"] == "postgresql+psycopg://h/d"
    assert made["EWC_BROKER_URL"] == "filesystem://"
    assert made["EWC_DATA_DIR"] == os.path.join(tmp_path, "data")
    assert made["EWC_STATE_DIR"] == str(tmp_path / "state")
    assert made["EWC_API_PORT"] == "8001"
    assert made["OTHER"] == "x"
