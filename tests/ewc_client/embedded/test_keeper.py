"""The process that cleans up after a parent that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from ewc_client.embedded import keeper

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
POLITE = "import time; print('up', flush=True); time.sleep(600)"
WITH_CHILD = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "print('up', flush=True); time.sleep(600)"
)


@pytest.fixture
def leader() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts leaders of process groups, and ends what a test leaves of them."""
    started: list[subprocess.Popen[str]] = []

    def _start(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield _start
    for process in started:
        keeper.kill_group(process.pid)
        process.communicate()


def members(group: int) -> list[psutil.Process]:
    """Live processes of a group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def wait_until_empty(group: int) -> None:
    deadline = time.monotonic() + 10
    while members(group):
        assert time.monotonic() < deadline, members(group)
        time.sleep(0.02)


def test_groups_that_are_gone_are_not_listed() -> None:
    assert keeper.listed_groups(["+12\n", "+34\n", "-12\n", "nonsense\n", "+\n"]) == {34}


@pytest.mark.parametrize(("program", "number"), [(POLITE, signal.SIGTERM), (STUBBORN, signal.SIGKILL)])
def test_a_leader_is_asked_first_and_killed_after_the_grace(
    leader: Callable[[str], subprocess.Popen[str]], program: str, number: signal.Signals
) -> None:
    process = leader(program)
    # The leader is this test's child, so it stays a zombie until it is waited for; the keeper must not wait for that.
    keeper.stop_groups([process.pid], grace_seconds=0.3)
    assert process.wait(timeout=10) == -number


def test_the_children_of_a_leader_end_with_it(leader: Callable[[str], subprocess.Popen[str]]) -> None:
    process = leader(WITH_CHILD)
    assert len(members(process.pid)) == 2
    keeper.stop_groups([process.pid], grace_seconds=0.3)
    process.wait(timeout=10)
    wait_until_empty(process.pid)


def test_the_end_of_the_pipe_is_the_end_of_the_groups(leader: Callable[[str], subprocess.Popen[str]]) -> None:
    kept, gone = leader(POLITE), leader(POLITE)
    process = subprocess.Popen([sys.executable, "-I", keeper.__file__, "0.3"], stdin=subprocess.PIPE, text=True)
    process.communicate(f"+{kept.pid}\n+{gone.pid}\n-{gone.pid}\n", timeout=20)
    assert process.returncode == 0
    assert kept.wait(timeout=10) == -signal.SIGTERM
    assert gone.poll() is None


def test_nothing_listed_is_nothing_to_do() -> None:
    process = subprocess.run([sys.executable, "-I", keeper.__file__, "30"], input="", text=True, timeout=20, check=False)
    assert process.returncode == 0
