"""The state directory of an embedded service: who holds it, and the files that lead clients to it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from ewc_client.errors import EWCClientError
from ewc_client.service_location import KEY_FILE, LOCK_FILE, SERVICE_FILE

_LARGEST_LOG_BYTES = 10 * 1024 * 1024
_OWNER_LOCK_FILE = "owner.lock"
_STOPPING_PATIENCE_SECONDS = 30.0  # an `ewc up` that was killed leaves a keeper that still stops its children


class EmbeddedError(EWCClientError):
    """The embedded service could not start."""


class AlreadyRunningError(EmbeddedError):
    """Another `ewc up` holds the state directory."""


class StateDirectory:
    """One state directory, mode 0700. Everything that the service keeps lies in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._owner_lock: int | None = None
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """Where the children's output goes."""
        return self.path / "logs"

    @property
    def key_file(self) -> Path:
        """The API key that the service makes at its first start."""
        return self.path / KEY_FILE

    @property
    def service_file(self) -> Path:
        """URL and process number of the live service."""
        return self.path / SERVICE_FILE

    def acquire(self) -> int:
        """Make the directory, hold it for this process, and return the lock's descriptor.

        Raises:
            AlreadyRunningError: another process holds it.
            EmbeddedError: it cannot be made or written.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            owner = os.open(self.path / _OWNER_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmbeddedError(f"state directory {self.path} cannot be used: {error}") from error
        # The owner's lock dies with this process; the other lives until its last child is gone, and is worth waiting for.
        if not (_lock_within(owner, 0.0) and _lock_within(descriptor, _STOPPING_PATIENCE_SECONDS)):
            os.close(owner)
            os.close(descriptor)
            raise AlreadyRunningError(self._who_holds_it())
        self._owner_lock, self._lock = owner, descriptor
        self.service_file.unlink(missing_ok=True)
        return descriptor

    def release(self) -> None:
        """Let the directory go."""
        self.service_file.unlink(missing_ok=True)
        for descriptor in (self._lock, self._owner_lock):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._owner_lock = None

    def announce(self, url: str) -> None:
        """Write the service file in one step, so that a client reads all of it or none."""
        part = self.service_file.with_suffix(".part")
        part.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
        part.replace(self.service_file)

    def open_log(self, name: str) -> int:
        """A descriptor at the end of `logs/<name>.log`; a very long log is put aside first."""
        file = self.logs / f"{name}.log"
        if file.exists() and file.stat().st_size > _LARGEST_LOG_BYTES:
            file.replace(file.with_suffix(".log.1"))
        return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def log_tail(self, name: str, *, num_lines: int = 12) -> str:
        """The end of a log, for an error message."""
        file = self.logs / f"{name}.log"
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
        return "\n".join(f"  | {line}" for line in lines[-num_lines:])

    def _who_holds_it(self) -> str:
        if not self.service_file.exists():
            return f"another `ewc up` is starting or stopping on {self.path}; try again in a few seconds"
        try:
            service = json.loads(self.service_file.read_text(encoding="utf-8"))
            return f"a service already runs on {self.path}: {service['url']} (process {service['pid']})"
        except (OSError, ValueError, KeyError, TypeError):  # its owner is writing or removing it
            return f"a service already runs on {self.path}"


def _lock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True
