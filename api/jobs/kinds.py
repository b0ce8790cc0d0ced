"""What only jobs of some kind have."""

from __future__ import annotations

from api.errors import WrongJobKind
from ewc_core.specs import LearningSpec
from store.records import JobRecord


def require_learning(job: JobRecord, what: str) -> LearningSpec:
    """The spec of a job that has tasks. `what` is asked for: "task switches", "a score matrix".

    Raises:
        WrongJobKind: the job is of another kind.
    """
    if not isinstance(job.spec, LearningSpec):
        raise WrongJobKind(job.id, job.spec.kind, f"only supervised and reinforcement jobs have {what}")
    return job.spec


def require_result_kind(job: JobRecord) -> None:
    """Raises WrongJobKind for a job that leaves scores and checkpoints instead of a result."""
    if isinstance(job.spec, LearningSpec):
        raise WrongJobKind(job.id, job.spec.kind, "it has no result, but a score matrix (evaluations/matrix) and checkpoints")
