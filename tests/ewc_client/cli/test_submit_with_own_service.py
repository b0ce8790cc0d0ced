"""`ewc submit --watch` on a machine where nothing is configured: it brings its own service, and takes it away again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ewc_client.service_location import is_locked

SPEC = {
    "network": {"hidden_sizes": [16]},
    "training": {"batch_size": 64, "num_epochs": 2},
    "method": {"kind": "ewc", "ewc_lambda": 50.0},
    "controls": ["naive"],
    "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
}
Submit = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def submit(tmp_path: Path) -> Iterator[Submit]:
    """Starts `ewc submit --watch` with changes to the spec."""
    started: list[subprocess.Popen[str]] = []

    def _start(**changes: object) -> subprocess.Popen[str]:
        file = tmp_path / "spec.json"
        file.write_text(json.dumps({**SPEC, **changes}))
        command = [sys.executable, "-c", "from ewc_client.cli import main; main()", "submit", str(file), "--watch"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        started.append(process)
        return process

    yield _start
    for process in started:
        process.kill()
        process.communicate()


def of_this_test(state_dir: Path) -> list[psutil.Process]:
    """Live processes that know this state directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("EWC_STATE_DIR") == str(state_dir):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def skip_to(process: subprocess.Popen[str], start: str) -> str:
    """Read what the command says up to the line that begins like this."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(start):
            return line
    raise AssertionError(f"it never said {start!r}: {said}")


def test_a_job_is_learned_and_its_matrix_printed_and_nothing_is_left(submit: Submit, tmp_path: Path) -> None:
    process = submit()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err.startswith(f"no service is configured: starting one on {tmp_path / 'state'} for as long as this command runs\n")
    assert "visit 1  digits-permutation-1  mean accuracy over 2 tasks: ewc" in err
    assert "naive (control)" in out
    assert "\x1b" not in out + err
    assert of_this_test(tmp_path / "state") == []
    assert not is_locked(tmp_path / "state")


def test_ctrl_c_stops_the_service_and_keeps_the_job(submit: Submit, tmp_path: Path) -> None:
    process = submit(training={"num_epochs": 10000})
    skip_to(process, "a worker has the job")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "the job keeps its place" in err
    assert of_this_test(tmp_path / "state") == []


def test_a_killed_command_leaves_no_process_behind(submit: Submit, tmp_path: Path) -> None:
    process = submit(training={"num_epochs": 10000})
    skip_to(process, "a worker has the job")
    left = of_this_test(tmp_path / "state")
    assert len(left) >= 4
    process.kill()
    _, alive = psutil.wait_procs(left, timeout=60)
    assert [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []
