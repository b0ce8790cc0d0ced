"""A job in a trainer process of its own, as a supervisor runs it, on SQLite; and the most memory that the process took."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ewc_core.specs import JOB_SPEC
from migrations import run as migrate
from store.job_states import JobStatus
from store.unit_of_work import Database

REPOSITORY = Path(__file__).resolve().parents[1]
_LEASE_SECONDS = 24 * 3600.0
_POLL_SECONDS = 0.02
_IMPORTED = """
import worker.trainer
import ewc_core.supervised.run
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
"""What a trainer process takes before it has looked at its job."""


@dataclass(frozen=True)
class Trained:
    """How a trainer process ended, and the most memory that it ever took (VmHWM)."""

    exit_status: int
    peak_bytes: int
    seconds: float


class Record:
    """An empty record in `folder`, and trainers for its jobs."""

    def __init__(self, folder: Path, *, data_dir: Path | None) -> None:
        url = f"sqlite:///{folder / 'ewc.db'}"
        migrate.upgrade(url)
        self.database = Database(url)
        self._environment = {**os.environ, "EWC_DATABASE_URL": url, "EWC_STATE_DIR": str(folder)}
        if data_dir is not None:
            self._environment["EWC_DATA_DIR"] = str(data_dir)

    def create(self, spec: Mapping[str, Any]) -> str:
        """A new job; its id."""
        with self.database.write() as work:
            return work.jobs.create(JOB_SPEC.validate_python(spec), owner="benchmark").id

    def train(self, job_id: str, *, resume_seconds: int, kill_when: Callable[[], bool] | None = None) -> Trained:
        """Let a trainer have the job until it rests or, when `kill_when` says so, is killed; the job is then queued again."""
        with self.database.write() as work:
            fence = work.leases.claim(job_id, worker_id="benchmark", ttl_seconds=_LEASE_SECONDS)
        if fence is None:
            raise RuntimeError(f"job {job_id} cannot be claimed")
        command = [sys.executable, "-m", "worker.trainer", job_id, str(fence.epoch), fence.worker_id]
        environment = {**self._environment, "EWC_RESUME_SECONDS": str(resume_seconds)}
        ours, theirs = socket.socketpair()
        started, peak = time.monotonic(), 0
        with ours, theirs:
            trainer = subprocess.Popen(command, stdin=theirs, env=environment, cwd=REPOSITORY)  # noqa: S603 (our own module)
            while trainer.poll() is None:
                peak = max(peak, _peak_bytes(trainer.pid))
                if kill_when is not None and kill_when():
                    trainer.kill()
                time.sleep(_POLL_SECONDS)
        if trainer.returncode < 0:
            with self.database.fenced(fence) as work:
                work.jobs.transition(job_id, JobStatus.QUEUED, reason="worker_lost", actor="benchmark", epoch=fence.epoch)
                work.leases.release(fence)
        return Trained(trainer.returncode, peak, time.monotonic() - started)


def imported_bytes() -> int:
    """What a trainer process takes before it has looked at its job: Python, torch, and what else is imported."""
    done = subprocess.run([sys.executable, "-c", _IMPORTED], cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603 (our own code)
    return 1024 * int(done.stdout)


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    # A process that has just ended has no memory any more.
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
