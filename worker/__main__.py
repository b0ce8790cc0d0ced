"""`python -m worker`: reaps and keeps one Celery worker alive until it is asked to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence

from pydantic import ValidationError

from ewc_core.errors import StoreUnavailable
from store.claims import remind
from store.log_lines import log_to_stderr
from store.queue import WakeUps
from store.reaper import reap
from store.settings import refused_settings
from store.termination import heed_sigterm
from store.trouble import Trouble
from store.unit_of_work import Database
from worker.celery_process import CeleryProcess
from worker.enrolment import Enrolment
from worker.settings import WorkerSettings, celery_id
from worker.sweeps import advance
from worker.watchdog import Watchdog

log = logging.getLogger("worker")

_LOOK_SECONDS = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns 0 after a clean stop; 1, with one line on standard error, when it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--check", action="store_true", help="look at the settings only")
    options = parser.parse_args(arguments)
    heed_sigterm()
    try:
        settings = WorkerSettings()
        database = Database(settings.database_url)
        wake_ups = WakeUps(settings.broker_url, settings.broker_dir)
        if database.engine.dialect.name == "sqlite" and not options.check:
            database.ping()  # a server may come back, a file that is no database will not become one
    except ValidationError as error:
        return _refuse(refused_settings(error))
    except StoreUnavailable as error:
        return _refuse(f"{error} (EWC_DATABASE_URL says where it is)")
    except OSError as error:
        return _refuse(f"the broker's folders in EWC_STATE_DIR cannot be made: {error.strerror} ({error.filename})")
    if options.check:
        return 0
    return _run(settings, database, wake_ups)


def _refuse(why: str) -> int:
    sys.stderr.write(f"the worker cannot start: {' '.join(why.split())}\n")
    return 1


def _run(settings: WorkerSettings, database: Database, wake_ups: WakeUps) -> int:
    log_to_stderr()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    celery, watchdog, enrolment = CeleryProcess(settings), Watchdog(settings), Enrolment(database, settings)
    trouble, is_new, next_pass = Trouble(log, "passes of the reaper"), False, 0.0
    while not stop.wait(_LOOK_SECONDS):
        try:
            is_started = celery.keep_alive()
            is_new = is_new or is_started
            if not is_started and time.monotonic() < next_pass:
                continue
            next_pass = time.monotonic() + settings.reap_seconds
            enrolment.renew(celery.pid, wake_everything=is_new)
            is_new = False
            reap(database, wake_ups, settings=settings)
            advance(database, wake_ups)
            if celery.pid is not None:
                if watchdog.is_deaf(database, celery.pid, has_asked=celery.has_asked()):
                    log.warning("a job waits beside a free slot, and Celery has stopped listening: it is started again")
                    celery.stop()
                remind(database, wake_ups, worker_id=celery_id(celery.pid))
            trouble.is_over()
        except Exception as error:  # noqa: BLE001 (whatever one pass meets, the next one may heal; dying heals nothing)
            trouble.is_met(error)
    celery.stop()
    try:
        enrolment.end()
    except StoreUnavailable as error:
        log.warning("could not sign off: %s", error)
    database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
