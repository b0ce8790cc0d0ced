"""The one Celery process of a worker: started, heard, and started again when it dies."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable

from store.queue import CPU_QUEUE
from worker.processes import die_with_parent
from worker.settings import WorkerSettings, new_worker_id

LISTENING_FD = "EWC_LISTENING_FD"
"""Environment variable of the Celery process: where it writes a byte whenever it has asked the broker for a message."""
_MAX_BACK_OFF_SECONDS = 15.0
_LONG_LIFE_SECONDS = 60.0

_log = logging.getLogger("worker")


class CeleryProcess:
    """Celery as a child process, and how it is doing. One that dies is replaced, later each time it dies young."""

    def __init__(self, settings: WorkerSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing runs before `keep_alive`."""
        self._settings = settings
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._heard_from: int | None = None
        self._started_at = 0.0
        self._back_off = 1.0
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """Its process number while it lives."""
        return None if self._process is None else self._process.pid

    def keep_alive(self) -> bool:
        """Notice a death, and start Celery when it is time to. Returns whether it was started now.

        Raises:
            OSError: no process can be started now (there is no memory, for instance).
        """
        if self._process is not None and self._process.poll() is not None:
            status = self._process.returncode
            _log.warning("the Celery process left with %s; another is started in %.0f s", status, self._wait_before_next())
        if self._process is not None or self._clock() < self._start_at:
            return False
        self._start()
        return True

    def has_asked(self) -> bool:
        """Whether it has asked the broker for a message since this was asked last."""
        if self._heard_from is None:
            return False
        try:
            return bool(os.read(self._heard_from, 1 << 16))
        except BlockingIOError:
            return False

    def stop(self) -> None:
        """A warm shutdown: trainers save a resume point and their jobs go back to the queue; then a hard one."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=self._settings.stop_grace_seconds + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self._heard_from, own_end = os.pipe()
        os.set_blocking(self._heard_from, False)
        os.set_blocking(own_end, False)
        command = [sys.executable, "-m", "celery", "--app", "worker.app", "--quiet", "worker"]
        options = [
            f"--concurrency={self._settings.num_processes}",
            "--pool=prefork",
            f"--queues={CPU_QUEUE}",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=INFO",
            f"--hostname=ewc-{new_worker_id()}-{int(time.time())}@%h",
        ]
        self._started_at = self._clock()
        try:
            self._process = subprocess.Popen(  # noqa: S603 (our own command)
                [*command, *options],
                env={**os.environ, LISTENING_FD: str(own_end)},
                pass_fds=[own_end],
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
        except OSError:
            self._wait_before_next()
            raise
        finally:
            os.close(own_end)

    def _wait_before_next(self) -> float:
        """Forget the process that is not there any more; how many seconds until the next is started."""
        now = self._clock()
        wait = 1.0 if now - self._started_at > _LONG_LIFE_SECONDS else self._back_off
        self._start_at, self._back_off = now + wait, min(2 * wait, _MAX_BACK_OFF_SECONDS)
        self._process = None
        if self._heard_from is not None:
            os.close(self._heard_from)
            self._heard_from = None
        return wait
