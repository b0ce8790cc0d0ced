"""`python -m worker`: sweeps the record and keeps one Celery worker alive until it is asked to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from ewc_core.errors import StoreUnavailable
from store.log_lines import log_to_stderr
from store.queue import CPU_QUEUE, WakeUps
from store.sweep import sweep
from store.unit_of_work import Database
from worker.processes import die_with_parent
from worker.settings import WorkerSettings, new_worker_id
from worker.sweeps import advance
from worker.watchdog import Watchdog

log = logging.getLogger("worker")

_MAX_BACK_OFF_SECONDS = 30.0


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns 0 after a clean stop."""
    log_to_stderr()
    settings = WorkerSettings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database_url)
    wake_ups = WakeUps(settings.broker_url, settings.broker_dir)
    celery = _start_celery(settings)
    watchdog = Watchdog(settings)
    worker_id, back_off = new_worker_id(), 1.0
    started_at, is_new = time.monotonic(), True
    while not stop.wait(0 if celery.poll() is not None else settings.sweep_seconds):
        if celery.poll() is not None:
            log.warning("the Celery process left with %s; starting another in %.0f s", celery.returncode, back_off)
            if stop.wait(back_off):
                break
            back_off = 1.0 if time.monotonic() - started_at > 60 else min(back_off * 2, _MAX_BACK_OFF_SECONDS)
            celery, started_at, is_new = _start_celery(settings), time.monotonic(), True
        try:
            _sweep_once(database, wake_ups, settings, worker_id, wake_everything=is_new)
            is_new = False
            if watchdog.is_deaf(database, celery.pid):
                log.warning("a job waits beside a free slot: Celery has stopped listening and is started again")
                _stop_celery(celery, settings)
        except Exception as error:  # noqa: BLE001 (whatever one pass meets, the next one may heal; dying heals nothing)
            log.warning("sweep failed (%s: %s); trying again", type(error).__name__, error)
    _stop_celery(celery, settings)
    _say_goodbye(database, worker_id)
    return 0


def _start_celery(settings: WorkerSettings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "--app", "worker.app", "--quiet", "worker"]
    options = [
        f"--concurrency={settings.worker_slots}",
        "--pool=prefork",
        f"--queues={CPU_QUEUE}",
        "--without-gossip",
        "--without-mingle",
        "--loglevel=INFO",
        f"--hostname=ewc-{new_worker_id()}-{int(time.time())}@%h",
    ]
    return subprocess.Popen([*command, *options], preexec_fn=die_with_parent, start_new_session=True)  # noqa: S603 (our own command)


def _stop_celery(celery: subprocess.Popen[bytes], settings: WorkerSettings) -> None:
    """A warm shutdown: trainers save a resume point and their jobs go back to the queue; then a hard one."""
    celery.terminate()
    try:
        celery.wait(timeout=settings.stop_grace_seconds + 5)
    except subprocess.TimeoutExpired:
        celery.kill()
        celery.wait()


def _sweep_once(
    database: Database, wake_ups: WakeUps, settings: WorkerSettings, worker_id: str, *, wake_everything: bool
) -> None:
    with database.write() as work:
        work.workers.beat(worker_id, hostname=socket.gethostname(), pid=os.getpid(), queue=CPU_QUEUE, slots=settings.worker_slots)
        if wake_everything:  # messages that a dead Celery process had reserved are lost
            work.jobs.reset_wake_ups()
    sweep(database, wake_ups, settings=settings)
    advance(database, wake_ups)


def _say_goodbye(database: Database, worker_id: str) -> None:
    try:
        with database.write() as work:
            work.workers.remove(worker_id)
    except StoreUnavailable as error:
        log.warning("could not sign off: %s", error)
    database.close()


if __name__ == "__main__":
    sys.exit(main())
