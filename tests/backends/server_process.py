"""One server process that does not outlive the tests."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ServerUnavailable(Exception):
    """The server cannot be started on this machine; the message says why."""


class ServerProcess:
    """Runs a command in a folder of its own; stopped by `stop`, or by the kernel when the tests are killed."""

    def __init__(self, command: Sequence[str], *, folder: Path, user: str | None, stop_signal: signal.Signals) -> None:
        self._log = folder / "server.log"
        self._stop_signal = stop_signal

        def die_with_the_tests() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(stop_signal))

        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                user=user,
                group=primary_group(user),
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop the server in order
                preexec_fn=die_with_the_tests,
            )

    def require_running(self) -> None:
        """Raises ServerUnavailable with the end of the log when the process has left."""
        if self._process.poll() is not None:
            raise ServerUnavailable(f"the server left with status {self._process.returncode}: {self._log.read_text()[-500:]}")

    def stop(self) -> None:
        """Ask the server to leave; kill it after ten seconds."""
        if self._process.poll() is None:
            self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def unprivileged_user() -> str | None:
    """Whom to run servers as: None (oneself), or another user for root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise ServerUnavailable("the tests run as root, and there is neither a user 'postgres' nor 'nobody' to run a server as")


def primary_group(user: str | None) -> int | None:
    """The user's group, or None for oneself."""
    return None if user is None else pwd.getpwnam(user).pw_gid


def make_folder(prefix: str, user: str | None) -> Path:
    """A new folder that only `user` (and root) can enter."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
