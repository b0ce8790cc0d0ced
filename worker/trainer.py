"""The trainer process: `python -m worker.trainer JOB EPOCH WORKER`, started by a supervisor that holds the job's lease.

It reads nothing but the record and the data directory, and writes nothing but fenced transactions. Its standard input
is a pipe from the supervisor: when that closes, the trainer leaves at once.
"""

from __future__ import annotations

import logging
import signal
import sys
import traceback
from types import FrameType

import torch

from ewc_core.errors import Fenced, StoreUnavailable
from store.records import Fence
from store.unit_of_work import Database
from worker import exit_codes
from worker.processes import exit_when_pipe_closes
from worker.runner import JobRunner, Outcome
from worker.settings import WorkerSettings

_EXIT = {Outcome.SETTLED: exit_codes.SETTLED, Outcome.STOPPED: exit_codes.STOPPED}


def main(arguments: list[str]) -> int:
    """Train one job until it rests. Returns an exit status of `worker.exit_codes`."""
    job_id, epoch, worker_id = arguments
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    exit_when_pipe_closes(sys.stdin.fileno())
    settings = WorkerSettings()
    database = Database(settings.database_url)
    runner = JobRunner(database, settings, Fence(job_id=job_id, epoch=int(epoch), worker_id=worker_id))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        runner.stop()

    signal.signal(signal.SIGTERM, stop)
    try:
        return _EXIT[runner.run()]
    except Fenced:
        return exit_codes.FENCED
    except StoreUnavailable:
        traceback.print_exc()
        return exit_codes.RECORD_UNAVAILABLE
    except BaseException:  # noqa: BLE001 (the last line of defence: the supervisor reads the traceback and decides)
        traceback.print_exc()
        return exit_codes.CRASHED
    finally:
        database.close()


if __name__ == "__main__":
    torch.set_num_interop_threads(1)
    sys.exit(main(sys.argv[1:]))
