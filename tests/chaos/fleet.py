"""Starting, watching and killing real worker processes."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

import psutil

from store.job_states import FINISHED
from store.records import JobRecord
from store.unit_of_work import Database

REPOSITORY = Path(__file__).resolve().parents[2]
FAST = {
    "EWC_LEASE_SECONDS": "3",
    "EWC_HEARTBEAT_SECONDS": "0.5",
    "EWC_REAP_SECONDS": "0.5",
    "EWC_RESUME_SECONDS": "0.3",
    "EWC_FLUSH_SECONDS": "0.2",
    "EWC_STOP_GRACE_SECONDS": "5",
    "EWC_MAX_ATTEMPTS_WITHOUT_PROGRESS": "50",
}


class Worker:
    """One `python -m worker` with everything that it starts."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker"],
            cwd=REPOSITORY,
            env={**os.environ, **FAST, **environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def family(self) -> list[psutil.Process]:
        """The worker and its living descendants, oldest first."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def trainers(self) -> list[psutil.Process]:
        """Trainer processes under this worker."""
        return [process for process in self.family() if _is_trainer(process)]

    def signal_all(self, number: int) -> None:
        """Send one signal to the whole family."""
        for process in self.family():
            _send(process, number)

    def kill_all(self) -> None:
        """`kill -9` the whole family and reap the worker."""
        self.signal_all(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        self.signal_all(signal.SIGCONT)
        self.kill_all()
        self._log.close()


@cache
def printed_by(script: str, spec: str) -> str:
    """What a Python script prints that reads the job spec (JSON) from standard input, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", script], input=spec, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def kill_one_at_random(worker: Worker, rng: random.Random) -> str | None:
    """Kill the trainer, any one process of the family, or all of it. Returns what was killed; None if nothing was there."""
    kind = rng.choice(["trainer", "trainer", "any", "all"])
    if kind == "all":
        worker.kill_all()
        return "all"
    victims = worker.trainers() if kind == "trainer" else worker.family()
    if not victims:
        return None
    victim = rng.choice(victims)
    _send(victim, signal.SIGKILL)
    if victim.pid == worker.process.pid:
        worker.process.wait()
    return kind


def kill_until_finished(
    database: Database, job_id: str, start_worker: Callable[[], Worker], *, num_kills: int, seed: int
) -> list[str]:
    """Kill something `num_kills` times at random moments, starting workers anew; what was killed, once the job is over."""
    rng = random.Random(seed)  # noqa: S311 (a repeatable sequence of kills)
    worker = start_worker()
    kills: list[str] = []
    while len(kills) < num_kills and not is_finished(database, job_id):
        if rng.random() < 0.7:
            wait_for(lambda: bool(worker.trainers()) or is_finished(database, job_id), seconds=60, what="a trainer")  # noqa: B023 (called at once)
        time.sleep(rng.uniform(0.0, 3.0))  # the moment is the point: while it claims, imports, trains or commits
        killed = kill_one_at_random(worker, rng)
        if killed is not None:
            kills.append(killed)
        if worker.process.poll() is not None:
            worker = start_worker()
    wait_for(lambda: is_finished(database, job_id), seconds=240, what="the job to finish")
    print(f"kills: {kills}, attempts: {job_of(database, job_id).attempt}")  # noqa: T201 (shown with -s: what this run did)
    return kills


def freeze_between_writes(worker: Worker, database: Database) -> None:
    """SIGSTOP the whole family at a moment when none of it is inside a write transaction.

    SQLite has one write lock for everybody, and a process that is stopped while it holds it stops everybody;
    PostgreSQL ends the transaction of a silent client by itself.
    """
    while True:
        worker.signal_all(signal.SIGSTOP)
        if database.engine.dialect.name != "sqlite" or _can_write(Path(str(database.engine.url.database))):
            return
        worker.signal_all(signal.SIGCONT)


def _can_write(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        connection.execute("ROLLBACK")
        return True


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


def job_of(database: Database, job_id: str) -> JobRecord:
    """The job as it is now."""
    with database.read() as work:
        return work.jobs.get(job_id)


def is_finished(database: Database, job_id: str) -> bool:
    """Whether the job is in a final state."""
    return job_of(database, job_id).status in FINISHED


def _is_trainer(process: psutil.Process) -> bool:
    try:
        return "worker.trainer" in process.cmdline()
    except psutil.Error:
        return False


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
