"""Children that are started again, and end with their supervisor."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ewc_client.embedded import keeper
from ewc_client.embedded.state_directory import StateDirectory
from ewc_client.embedded.supervisor import Supervisor, describe_status

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDirectory]:
    """A state directory that this test holds."""
    state = StateDirectory(tmp_path / "state")
    yield state
    state.release()


@pytest.fixture
def said() -> list[str]:
    """What the user was told."""
    return []


@pytest.fixture
def supervisor(state: StateDirectory, said: list[str]) -> Iterator[Supervisor]:
    """A supervisor that tends its children in a thread."""
    lock = state.acquire()
    made = Supervisor(state, lock=lock, environment=os.environ, grace_seconds=0.5, say=said.append)
    stop = threading.Event()
    thread = threading.Thread(target=made.tend, args=(stop,))
    thread.start()
    yield made
    stop.set()
    thread.join()
    made.stop()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def starts(state: StateDirectory, name: str) -> int:
    """How often the child has come up, by its log."""
    file = state.logs / f"{name}.log"
    return file.read_text().count("up\n") if file.exists() else 0


def test_a_child_whose_log_cannot_be_opened_for_a_while_comes_back(
    supervisor: Supervisor, state: StateDirectory, said: list[str]
) -> None:
    supervisor.start("one", SLEEPER)
    wait_for(lambda: starts(state, "one") == 1)
    log, aside = state.log_file("one"), state.logs / "aside"
    log.rename(aside)
    log.mkdir()
    child = child_of(SLEEPER)
    assert child is not None
    child.kill()
    wait_for(lambda: len(said) == 2)
    assert "cannot be used: Is a directory" in said[1]
    log.rmdir()
    wait_for(lambda: starts(state, "one") == 1)


CHATTERBOX = """
import os, time
for round in range(3):
    for number in range(200):
        os.write(1, b"round %d line %03d\\n" % (round, number))
    while round < 2 and os.fstat(1).st_size > 1000:
        time.sleep(0.01)
time.sleep(600)
"""


def test_a_log_is_put_aside_while_its_child_goes_on_writing(
    supervisor: Supervisor, state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ewc_client.embedded.state_directory._LARGEST_LOG_BYTES", 2500)
    supervisor.start("one", [sys.executable, "-c", CHATTERBOX])
    wait_for(lambda: (state.logs / "one.log.1").exists() and "round 2 line 199" in (state.logs / "one.log.1").read_text())
    kept = (state.logs / "one.log.1").read_text().splitlines()
    assert kept == [f"round 2 line {number:03d}" for number in range(200 - len(kept), 200)]
    wait_for(lambda: (state.logs / "one.log").read_text() == "")
    assert sum(file.stat().st_size for file in state.logs.iterdir()) <= 2500


def child_of(command: list[str]) -> psutil.Process | None:
    return next((process for process in psutil.Process().children() if process.cmdline() == command), None)


def test_a_killed_child_is_started_again_and_the_user_is_told(
    supervisor: Supervisor, state: StateDirectory, said: list[str]
) -> None:
    supervisor.start("one", SLEEPER)
    wait_for(lambda: starts(state, "one") == 1)
    child = child_of(SLEEPER)
    assert child is not None
    child.send_signal(signal.SIGKILL)
    wait_for(lambda: starts(state, "one") == 2)
    assert said == [f"one died (SIGKILL); starting it again in 0.5 s. Log: {state.logs / 'one.log'}"]


def keepers() -> list[psutil.Process]:
    living = [process for process in psutil.Process().children() if process.status() != psutil.STATUS_ZOMBIE]
    return [process for process in living if keeper.__file__ in process.cmdline()]


def test_a_killed_keeper_is_started_again_knows_the_children_and_is_told_of_once(
    supervisor: Supervisor, state: StateDirectory, said: list[str], tmp_path: Path
) -> None:
    supervisor.start("one", SLEEPER)
    wait_for(lambda: starts(state, "one") == 1)
    (first,) = keepers()
    first.kill()
    wait_for(lambda: said and [process.pid for process in keepers()] not in ([], [first.pid]))
    (line,) = said
    assert line.startswith("the keeper, which stops the service should `ewc up` itself be killed, died (SIGKILL)")
    pipe, supervisor._keeper.stdin = supervisor._keeper.stdin, (tmp_path / "nothing").open("wb")
    assert pipe is not None
    pipe.close()  # what it sees when this process dies
    wait_for(lambda: starts(state, "one") == 2)


def test_a_child_that_dies_at_once_waits_longer_each_time(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start("one", [sys.executable, "-c", "raise SystemExit(3)"])
    wait_for(lambda: len(said) == 3)
    assert [line.split(";")[1].split(".  Log")[0].split(". Log")[0] for line in said] == [
        " starting it again in 0.5 s",
        " starting it again in 1 s",
        " starting it again in 2 s",
    ]
    assert "exit status 3" in said[0]


def test_a_child_that_does_not_stop_is_killed(supervisor: Supervisor, state: StateDirectory, said: list[str]) -> None:
    supervisor.start("one", STUBBORN)
    wait_for(lambda: starts(state, "one") == 1)
    supervisor.stop()
    assert child_of(STUBBORN) is None
    assert said == ["killing what did not stop in time"]


def test_the_state_directory_is_free_when_everything_has_stopped(
    supervisor: Supervisor, state: StateDirectory, tmp_path: Path
) -> None:
    supervisor.start("one", SLEEPER)
    supervisor.stop()
    state.release()
    second = StateDirectory(tmp_path / "state")
    second.acquire()
    second.release()


@pytest.mark.parametrize(("status", "words"), [(0, "exit status 0"), (-9, "SIGKILL"), (-40, "signal 40")])
def test_statuses_are_said_in_words(status: int, words: str) -> None:
    assert describe_status(status) == words
