"""The trainer process: `python -m worker.trainer JOB EPOCH WORKER`, started by a supervisor that holds the job's lease.

It reads nothing but the record and the data directory, and writes nothing but fenced transactions. Its standard input
is a socket from the supervisor: when that closes, the trainer leaves at once; and its exit status goes there before it
leaves, because code of users can end the process with any status.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

import torch

from ewc_core.errors import Fenced, StoreUnavailable
from store.log_lines import log_to_stderr
from store.records import Fence
from store.termination import heed_sigterm
from store.unit_of_work import Database
from worker import exit_codes
from worker.processes import exit_when_pipe_closes
from worker.runner import JobRunner, Outcome
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)
_EXIT = {Outcome.SETTLED: exit_codes.SETTLED, Outcome.STOPPED: exit_codes.STOPPED}


def main(arguments: list[str]) -> int:
    """Train one job until it rests. Returns an exit status of `worker.exit_codes`."""
    job_id, epoch, worker_id = arguments
    log_to_stderr("%(message)s")
    heed_sigterm()
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
    except StoreUnavailable as error:
        log.error("the record cannot be used: %s", error)
        return exit_codes.NO_RECORD_OR_ROOM
    except OSError as error:
        log.exception("the trainer ends with an error of the system")
        return exit_codes.NO_RECORD_OR_ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else exit_codes.CRASHED
    except BaseException:  # the last line of defence: the supervisor reads the traceback and decides
        log.exception("the trainer ends with an unexpected error")
        return exit_codes.CRASHED
    finally:
        database.close()


if __name__ == "__main__":
    torch.set_num_interop_threads(1)
    status = main(sys.argv[1:])
    with suppress(OSError):
        sys.stdout.flush()
    with suppress(OSError):
        os.write(sys.stdin.fileno(), exit_codes.as_said(status))
    # Not sys.exit: where the log's disk is full, Python's own last flush fails and changes the status.
    os._exit(status)
