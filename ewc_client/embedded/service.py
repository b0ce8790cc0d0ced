"""The embedded service: migrate, then one API and one worker, on the same Python, until it is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import TracebackType

import httpx

from ewc_client.embedded.listener import take_port
from ewc_client.embedded.state_directory import EmbeddedError, StateDirectory
from ewc_client.embedded.supervisor import Supervisor, describe_status
from ewc_client.service_location import ServiceLocation, read_key

_GRACE_SECONDS = 20.0
_READY_SECONDS = 60.0


class EmbeddedService:
    """Runs the service's own commands as child processes, on SQLite unless the environment says otherwise.

    Use it in a `with` block, or call `stop`. `say` receives one line for each thing that the user should know.
    """

    def __init__(
        self, directory: Path, *, port: int | None = None, say: Callable[[str], None], grace_seconds: float = _GRACE_SECONDS
    ) -> None:
        self.state = StateDirectory(directory)
        self._port = port
        self._say = say
        self._grace_seconds = grace_seconds
        self._supervisor: Supervisor | None = None
        self._listener: socket.socket | None = None
        self._stop = threading.Event()
        self._tending: threading.Thread | None = None
        self.url = ""

    @property
    def location(self) -> ServiceLocation:
        """How a client reaches the service."""
        file = Path(os.environ.get("EWC_BOOTSTRAP_KEY_FILE") or self.state.key_file)
        key = read_key(file) if file.exists() else os.environ.get("EWC_API_KEY")
        return ServiceLocation(self.url, key or None, str(self.state.service_file))

    def start(self) -> None:
        """Start everything and return when the service is ready.

        Raises:
            AlreadyRunningError: another process holds the state directory.
            EmbeddedError: only the client is installed, a port is taken, a setting is refused, the migration failed, or the
                service did not become ready.
        """
        _require_installed()
        lock = self.state.acquire()
        try:
            host = os.environ.get("EWC_API_HOST") or "127.0.0.1"
            self._listener = take_port(host, self._asked_port(), say=self._say)
            port = int(self._listener.getsockname()[1])
            self.url = f"http://{_reachable(host)}:{port}"
            environment = children_environment(os.environ, self.state, host=host, port=port)
            self._prepare(environment)
            self._supervisor = Supervisor(
                self.state, lock=lock, environment=environment, grace_seconds=self._grace_seconds, say=self._say
            )
            listener = self._listener.fileno()
            self._supervisor.start("api", [sys.executable, "-m", "api", "--socket", str(listener)], pass_fds=(listener,))
            self._supervisor.start("worker", [sys.executable, "-m", "worker"])
            self._wait_until_ready()
            self.state.announce(self.url)
        except BaseException:  # whatever ends the start, an interrupt too, leaves nothing running
            self.stop()
            raise
        self._tending = threading.Thread(target=self._supervisor.tend, args=(self._stop,), name="supervisor", daemon=True)
        self._tending.start()

    def stop(self) -> None:
        """Stop everything that was started. May be called twice."""
        self._stop.set()
        if self._tending is not None:
            self._tending.join()
            self._tending = None
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.state.release()

    def __enter__(self) -> EmbeddedService:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _asked_port(self) -> int | None:
        if self._port is not None:
            return self._port
        value = os.environ.get("EWC_API_PORT")
        if not value:
            return None
        if not (value.isascii() and value.isdigit()) or len(value) > 5 or int(value) > 65535:
            raise EmbeddedError(f"EWC_API_PORT is {value!r}; expected a port number")
        return int(value)

    def _prepare(self, environment: Mapping[str, str]) -> None:
        """Bring the database up to date, and meanwhile let the worker look at its settings."""
        commands = {
            "migrations": [sys.executable, "-m", "migrations", "upgrade"],
            "worker": [sys.executable, "-m", "worker", "--check"],
        }
        with ExitStack() as stack:
            started = []
            for name, command in commands.items():
                log = self.state.open_log(name)
                stack.callback(os.close, log)
                process = subprocess.Popen(  # noqa: S603 our own commands
                    command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE
                )
                stack.enter_context(process)
                stack.callback(process.kill)  # of effect when this is interrupted
                started.append((name, log, process))
            for name, log, process in started:
                _, said = process.communicate()
                with suppress(OSError):  # the disk may be full, which `said` then tells
                    os.write(log, said)
                if process.returncode != 0:
                    lines = said.decode("utf-8", "replace").strip().splitlines()
                    raise self._refusal(name, lines[-1].strip() if lines else "", process.returncode)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with httpx.Client(timeout=2.0, trust_env=False) as http:
            while (lacks := _what_is_not_ready(http, self.url)) is not None:
                self._require_alive()
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"{self.url} was not ready after {_READY_SECONDS:g} s: {lacks} (log: {self.state.log_file('api')})"
                    )
                time.sleep(0.05)
        self._require_alive()

    def _require_alive(self) -> None:
        for name in ("api", "worker"):
            status = self._supervisor.exit_status(name) if self._supervisor is not None else None
            if status is not None:
                raise self._refusal(name, self.state.last_line(name), status)

    def _refusal(self, name: str, last_line: str, status: int) -> EmbeddedError:
        """What a process that did not start said last, which is a sentence of its own where it knew why."""
        why = last_line or f"the process {name!r} ended at once ({describe_status(status)})"
        return EmbeddedError(f"{why} (log: {self.state.log_file(name)})")


def _require_installed() -> None:
    try:
        distribution("ewc-service")
    except PackageNotFoundError:
        raise EmbeddedError(
            "only the client is installed here, not the service that it would start.\n"
            "  Name a service that runs (EWC_URL, EWC_API_KEY), or install the project ewc-service on this Python"
        ) from None


def children_environment(user: Mapping[str, str], state: StateDirectory, *, host: str, port: int) -> dict[str, str]:
    """The environment of the children. What the user has set wins, except for paths, which become absolute."""
    environment = {
        "EWC_DATABASE_URL": f"sqlite:///{state.path / 'ewc.db'}",
        "EWC_BROKER_URL": "filesystem://",
        "EWC_BOOTSTRAP_KEY_FILE": str(state.key_file),
        **user,
        "EWC_STATE_DIR": str(state.path),
        "EWC_API_HOST": host,
        "EWC_API_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # a folder named `api` in the user's directory is not ours
    }
    if user.get("EWC_DATA_DIR"):
        environment["EWC_DATA_DIR"] = str(Path(user["EWC_DATA_DIR"]).absolute())
    return environment


def _what_is_not_ready(http: httpx.Client, url: str) -> str | None:
    """None when the service is ready."""
    try:
        answer = http.get(f"{url}/readyz")
        if answer.is_success:
            return None
        checks = answer.json().get("checks", {})
    except (httpx.TransportError, ValueError):  # not listening yet
        return "it does not answer"
    return ", ".join(f"{name} {result}" for name, result in checks.items() if result != "ok") or answer.text


def _reachable(host: str) -> str:
    """An address that a client on this machine can use."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 it is compared, not bound
    return f"[{name}]" if ":" in name else name
