"""Exit statuses of `ewc`. Those of `submit --watch` and `watch` are the job's."""

from __future__ import annotations

SUCCEEDED = 0
JOB_FAILED = 1
USAGE = 2
JOB_CANCELLED = 3
REFUSED = 4
DETACHED = 130

EXPLANATION = (
    "Exit status: 0 done (with --watch: the job succeeded), 1 the job failed, 2 wrong usage, 3 the job was cancelled, "
    "4 the service refused or could not be reached (with --check: something is wrong), 130 interrupted: a watched job goes on."
)


def of_job(status: str) -> int:
    """The exit status that stands for a finished job."""
    return {"succeeded": SUCCEEDED, "failed": JOB_FAILED, "cancelled": JOB_CANCELLED}[status]
