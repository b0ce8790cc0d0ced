"""What is refused because a job is of another kind: task switches and matrices need tasks, results need none."""

from __future__ import annotations

from api.errors import WrongJobKind
from ewc_core.specs import JOB_KINDS
from store.records import JobSummary


def kinds_with_tasks() -> str:
    """The names of the kinds of jobs that learn tasks, in words."""
    return " and ".join(name for name, kind in JOB_KINDS.items() if kind.has_tasks)


def require_learning(job: JobSummary, what: str) -> None:
    """Check that the job has tasks. `what` is asked for: "task switches", "a score matrix".

    Raises:
        WrongJobKind: the job is of another kind.
    """
    if not job.has_tasks:
        raise WrongJobKind(job.id, job.kind, f"only {kinds_with_tasks()} jobs have {what}")


def require_result_kind(job: JobSummary) -> None:
    """Raises WrongJobKind for a job that leaves scores and checkpoints instead of a result."""
    if job.has_tasks:
        raise WrongJobKind(job.id, job.kind, "it has no result, but a score matrix (evaluations/matrix) and checkpoints")
