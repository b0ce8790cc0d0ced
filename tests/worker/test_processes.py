"""A trainer does not outlive its supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from worker.exit_codes import ORPHANED
from worker.processes import exit_when_pipe_closes


def test_a_closed_pipe_ends_the_process_with_the_orphaned_status():
    read_end, write_end = os.pipe()
    left = threading.Event()
    statuses: list[int] = []

    def leave(status: int) -> None:
        statuses.append(status)
        left.set()

    exit_when_pipe_closes(read_end, leave)
    os.close(write_end)
    assert left.wait(timeout=10)
    os.close(read_end)
    assert statuses == [ORPHANED]


def test_the_worker_application_and_its_messages_do_not_load_torch():
    code = "import worker.app, worker.messages, worker.__main__, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
