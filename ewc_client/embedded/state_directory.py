"""The state directory of an embedded service: who holds it, and the files that lead clients to it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ewc_client.errors import EWCClientError
from ewc_client.service_location import KEY_FILE, LOCK_FILE, SERVICE_FILE

_LARGEST_LOG_BYTES = 10 * 1024 * 1024
_LONGEST_LINE_BYTES = 64 * 1024
_OWNER_LOCK_FILE = "owner.lock"
_STOPPING_PATIENCE_SECONDS = 30.0  # an `ewc up` that was killed leaves a keeper that still stops its children


class EmbeddedError(EWCClientError):
    """The embedded service could not start."""


class AlreadyRunningError(EmbeddedError):
    """Another `ewc up` holds the state directory."""


class StateDirectory:
    """One state directory, of mode 0700 unless it was there before. Everything that the service keeps lies in it."""

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
            EmbeddedError: it cannot be made or written. Nothing in it has been changed, in either case.
        """
        with self._usable():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = os.open(self.path / _OWNER_LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                # This lock dies with this process; the other lives until its last child is gone, and is worth waiting for.
                if not _lock_within(owner, 0.0):
                    raise AlreadyRunningError(self._who_holds_it())
                descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            except BaseException:
                os.close(owner)
                raise
            self._owner_lock, self._lock = owner, descriptor
            try:
                if not _lock_within(descriptor, _STOPPING_PATIENCE_SECONDS):
                    raise AlreadyRunningError(self._who_holds_it())
                self.logs.mkdir(mode=0o700, exist_ok=True)
                self.service_file.unlink(missing_ok=True)
            except BaseException:
                self._close_locks()
                raise
        return descriptor

    def release(self) -> None:
        """Let the directory go. Without effect for who does not hold it."""
        if self._owner_lock is not None:
            with suppress(OSError):  # an address that nobody holds a lock for is not believed anyway
                self.service_file.unlink(missing_ok=True)
            self._close_locks()

    def announce(self, url: str) -> None:
        """Write the service file in one step, so that a client reads all of it or none.

        Raises:
            EmbeddedError: it cannot be written.
        """
        part = self.service_file.with_suffix(".part")
        with self._usable():
            part.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
            part.replace(self.service_file)

    def log_file(self, name: str) -> Path:
        """Where a child's output goes."""
        return self.logs / f"{name}.log"

    def open_log(self, name: str) -> int:
        """A descriptor that appends to `logs/<name>.log`.

        Raises:
            EmbeddedError: it cannot be opened.
        """
        with self._usable():
            return os.open(self.log_file(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def trim_logs(self) -> None:
        """Put aside what has grown long, while its writers go on."""
        for file in self.logs.glob("*.log"):
            with suppress(OSError):
                if file.stat().st_size > _LARGEST_LOG_BYTES:
                    _put_aside(file)

    def last_line(self, name: str) -> str:
        """The last line of a log, for an error message."""
        with suppress(OSError), self.log_file(name).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _LONGEST_LINE_BYTES))
            lines = log.read().decode("utf-8", "replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = "it is not a folder" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
            where = "" if error.filename in (None, str(self.path)) else f" ({error.filename})"
            raise EmbeddedError(
                f"state directory {self.path} cannot be used: {what}{where}; let EWC_STATE_DIR name a folder that can be written"
            ) from error

    def _close_locks(self) -> None:
        for descriptor in (self._lock, self._owner_lock):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._owner_lock = None

    def _who_holds_it(self) -> str:
        if not self.service_file.exists():
            return f"another `ewc up` is starting or stopping on {self.path}; try again in a few seconds"
        try:
            service = json.loads(self.service_file.read_text(encoding="utf-8"))
            return f"a service already runs on {self.path}: {service['url']} (process {service['pid']})"
        except (OSError, ValueError, KeyError, TypeError):  # its owner is writing or removing it
            return f"a service already runs on {self.path}"


def _put_aside(file: Path) -> None:
    """Keep the end of a log as `.log.1` and empty it. Its writers append, so they go on at the new end.

    What is written between the last read and the truncation is lost: a few microseconds. On a full disk there is no
    `.log.1`, and room again.
    """
    draft, older = file.with_suffix(".log.part"), file.with_suffix(".log.1")
    with file.open("r+b") as log:
        begin = max(0, os.fstat(log.fileno()).st_size - _LARGEST_LOG_BYTES)
        log.seek(begin)
        if begin:
            log.readline()  # the rest of a line
        try:
            with draft.open("wb") as kept:
                while (chunk := log.read(1024 * 1024)) and kept.tell() < 2 * _LARGEST_LOG_BYTES:
                    kept.write(chunk)
            draft.replace(older)
        except OSError:
            draft.unlink(missing_ok=True)
        log.truncate(0)


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
