"""One Celery process at a time: replaced when it dies, later each time it dies young, and heard when it asks."""

from __future__ import annotations

import sys

import pytest

from worker.celery_process import LISTENING_FD, CeleryProcess
from worker.settings import WorkerSettings


@pytest.fixture
def celery(tmp_path, monkeypatch):
    """Makes the process, with a shell script in Python's place, and its clock."""
    made: list[CeleryProcess] = []

    def _celery(script: str) -> tuple[CeleryProcess, list[float]]:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(program))
        clock = [1000.0]
        made.append(CeleryProcess(WorkerSettings(stop_grace_seconds=1), clock=lambda: clock[0]))
        return made[-1], clock

    yield _celery
    for process in made:
        process.stop()


def seconds_until_replaced(process: CeleryProcess, clock: list[float]) -> float:
    process._process.wait()
    died = clock[0]
    while not process.keep_alive():
        clock[0] += 0.5
    return clock[0] - died


def test_one_that_dies_young_is_replaced_later_each_time_but_after_fifteen_seconds_at_most(celery):
    process, clock = celery("exit 3")
    assert process.keep_alive()
    assert [seconds_until_replaced(process, clock) for _ in range(6)] == [1, 2, 4, 8, 15, 15]


def test_one_that_has_lived_long_is_replaced_soon(celery):
    process, clock = celery("exit 3")
    process.keep_alive()
    for _ in range(4):
        seconds_until_replaced(process, clock)
    clock[0] += 61
    assert seconds_until_replaced(process, clock) == 1


def test_it_is_heard_once_for_all_that_it_has_said(celery):
    process, _ = celery(f"printf .. > /proc/self/fd/${LISTENING_FD}")
    assert not process.has_asked()
    process.keep_alive()
    process._process.wait()
    assert [process.has_asked(), process.has_asked()] == [True, False]
