"""Child processes that are started again when they die, and never outlive this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ewc_client.embedded import keeper
from ewc_client.embedded.state_directory import EmbeddedError, StateDirectory

_POLL_SECONDS = 0.1
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0


@dataclass
class Child:
    """One supervised command. `num_quick_deaths` counts deaths since it last lived for a minute."""

    name: str
    command: Sequence[str]
    pass_fds: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    num_quick_deaths: int = 0


class Supervisor:
    """Keeps children running. `say` receives one line for each thing that the user should know."""

    def __init__(
        self,
        state: StateDirectory,
        *,
        lock: int,
        environment: Mapping[str, str],
        grace_seconds: float,
        say: Callable[[str], None],
    ) -> None:
        self._state = state
        self._environment = dict(environment)
        self._grace_seconds = grace_seconds
        self._say = say
        self._children: dict[str, Child] = {}
        self._guard = threading.Lock()
        self._stopping = False
        self._lock = lock
        self._keeper = self._start_keeper()

    def start(self, name: str, command: Sequence[str], *, pass_fds: tuple[int, ...] = ()) -> None:
        """Start a child, which inherits the open files `pass_fds`, and keep it running from now on."""
        with self._guard:
            child = Child(name, command, pass_fds)
            self._children[name] = child
            self._spawn(child)

    def exit_status(self, name: str) -> int | None:
        """The status with which a child has just died, or None while it lives."""
        with self._guard:
            process = self._children[name].process
            return None if process is None else process.poll()

    def tend(self, stop: threading.Event) -> None:
        """Start dead children again, with a growing wait, and keep their logs short, until `stop` is set."""
        while not stop.wait(_POLL_SECONDS):
            self._state.trim_logs()
            with self._guard:
                if not self._stopping:
                    self._tend_keeper()
                    for child in self._children.values():
                        self._tend_one(child)

    def stop(self) -> None:
        """Stop every child: SIGTERM, then SIGKILL after the grace. An interrupt while waiting kills at once.

        May be called again, to no effect.
        """
        with self._guard:
            if self._stopping:
                return
            self._stopping = True
            living = [child.process for child in self._children.values() if child.process is not None]
        for process in living:
            keeper.signal_leader(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + self._grace_seconds
        try:
            for process in living:
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            self._say("killing what did not stop in time")
        finally:
            for process in living:
                self._bury(process)
            if self._keeper.stdin is not None:
                with suppress(BrokenPipeError):
                    self._keeper.stdin.close()
            self._keeper.wait()

    def _start_keeper(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 our own script
            [sys.executable, "-I", keeper.__file__, str(self._grace_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[self._lock],  # the state directory is free again only when the last child is gone
        )

    def _tend_keeper(self) -> None:
        status = self._keeper.poll()
        if status is None:
            return
        self._say(
            f"the keeper, which stops the service should `ewc up` itself be killed, died ({describe_status(status)}); "
            "it is started again, and the service goes on"
        )
        if self._keeper.stdin is not None:
            with suppress(BrokenPipeError):
                self._keeper.stdin.close()
        self._keeper = self._start_keeper()
        for child in self._children.values():
            if child.process is not None:
                self._tell_keeper(f"+{child.process.pid}")

    def _tend_one(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_again_at:
                try:
                    self._spawn(child)
                except EmbeddedError as error:  # the next attempt may find what this one lacks
                    self._postpone(child, now, str(error))
            return
        status = child.process.poll()
        if status is None:
            return
        self._bury(child.process)
        child.process = None
        self._postpone(child, now, f"{child.name} died ({describe_status(status)})")

    def _postpone(self, child: Child, now: float, why: str) -> None:
        child.num_quick_deaths = 0 if now - child.started_at > _HEALTHY_SECONDS else child.num_quick_deaths + 1
        wait = min(_FIRST_WAIT_SECONDS * 2 ** max(0, child.num_quick_deaths - 1), _LONGEST_WAIT_SECONDS)
        child.start_again_at = now + wait
        self._say(f"{why}; starting it again in {wait:g} s. Log: {self._state.log_file(child.name)}")

    def _spawn(self, child: Child) -> None:
        log = self._state.open_log(child.name)
        try:
            child.process = subprocess.Popen(  # noqa: S603 our own commands
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                pass_fds=child.pass_fds,
            )
        except OSError as error:
            raise EmbeddedError(f"{child.name} cannot be started ({' '.join(child.command)}): {error}") from error
        finally:
            os.close(log)
        self._tell_keeper(f"+{child.process.pid}")
        child.started_at = time.monotonic()

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        """Kill what is left of a child and of its own children, and forget it."""
        keeper.kill_group(process.pid)
        process.wait()
        self._tell_keeper(f"-{process.pid}")

    def _tell_keeper(self, line: str) -> None:
        if self._keeper.stdin is None:
            return
        with suppress(BrokenPipeError):  # someone killed the keeper: the next one is told of all children
            self._keeper.stdin.write(line.encode() + b"\n")
            self._keeper.stdin.flush()


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:  # a real-time signal without a name
        return f"signal {-status}"
