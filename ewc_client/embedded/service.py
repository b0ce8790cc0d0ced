"""The embedded service: migrate, then one API and one worker, on the same Python, until it is stopped."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import httpx

from ewc_client.embedded.listener import take_port
from ewc_client.embedded.state_directory import EmbeddedError, StateDirectory
from ewc_client.embedded.supervisor import Supervisor, describe_status
from ewc_client.service_location import ServiceLocation

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
        key = file.read_text(encoding="utf-8").strip() if file.exists() else os.environ.get("EWC_API_KEY")
        return ServiceLocation(self.url, key or None, str(self.state.service_file))

    def start(self) -> None:
        """Start everything and return when the service is ready.

        Raises:
            AlreadyRunningError: another process holds the state directory.
            EmbeddedError: a port is taken, the migration failed, or the service did not become ready.
        """
        lock = self.state.acquire()
        try:
            host = os.environ.get("EWC_API_HOST") or "127.0.0.1"
            self._listener = take_port(host, self._asked_port(), say=self._say)
            port = int(self._listener.getsockname()[1])
            self.url = f"http://{_reachable(host)}:{port}"
            environment = children_environment(os.environ, self.state, host=host, port=port)
            self._migrate(environment)
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
        if not value.isdigit() or int(value) > 65535:
            raise EmbeddedError(f"EWC_API_PORT is {value!r}; expected a port number")
        return int(value)

    def _migrate(self, environment: Mapping[str, str]) -> None:
        log = self.state.open_log("migrations")
        command = [sys.executable, "-m", "migrations", "upgrade"]
        try:
            done = subprocess.run(command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False)  # noqa: S603 our own command
        finally:
            os.close(log)
        if done.returncode != 0:
            tail = self.state.log_tail("migrations")
            raise EmbeddedError(f"the database could not be migrated ({describe_status(done.returncode)}):\n{tail}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        with httpx.Client(timeout=2.0, trust_env=False) as http:
            while not _is_ready(http, self.url):
                self._require_api_alive()
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"{self.url} was not ready after {_READY_SECONDS:g} s:\n{self.state.log_tail('api')}")
                time.sleep(0.05)

    def _require_api_alive(self) -> None:
        status = self._supervisor.exit_status("api") if self._supervisor is not None else None
        if status is not None:
            raise EmbeddedError(f"the API stopped while starting ({describe_status(status)}):\n{self.state.log_tail('api')}")


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


def _is_ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:  # not listening yet
        return False


def _reachable(host: str) -> str:
    """An address that a client on this machine can use."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 it is compared, not bound
    return f"[{name}]" if ":" in name else name
