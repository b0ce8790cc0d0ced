"""Python client and command line of the EWC training service. It speaks HTTP only.

from ewc_client import EWCClient

with EWCClient() as client:
    job = client.jobs.create(spec)
    job = job.wait()
    print(job.matrix().methods["ewc"].summary.average)
"""

from ewc_client.checkpoints import Checkpoint
from ewc_client.client import EWCClient
from ewc_client.errors import (
    ApiError,
    ConfigurationError,
    ConflictError,
    DownloadError,
    EWCClientError,
    IllegalTransitionError,
    IntegrityError,
    InvalidRequestError,
    JobCancelledError,
    JobFailedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    SequenceConflictError,
    ServerError,
    ServiceUnreachableError,
    StreamClosedError,
    UnauthorizedError,
)
from ewc_client.findings import Analysis, Attempt, JobWarning, Result
from ewc_client.jobs import Job
from ewc_client.matrix import Matrix, MethodScores, Summary
from ewc_client.models import ApiKey, Event, Metric, Task, TaskSwitch, TensorEntry, Worker
from ewc_client.snapshots import ConstraintInForce, Snapshot
from ewc_client.sweeps import Sweep, Trial

__all__ = [
    "Analysis",
    "ApiError",
    "ApiKey",
    "Attempt",
    "Checkpoint",
    "ConfigurationError",
    "ConflictError",
    "ConstraintInForce",
    "DownloadError",
    "EWCClient",
    "EWCClientError",
    "Event",
    "IllegalTransitionError",
    "IntegrityError",
    "InvalidRequestError",
    "Job",
    "JobCancelledError",
    "JobFailedError",
    "JobWarning",
    "Matrix",
    "MethodScores",
    "Metric",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitedError",
    "Result",
    "SequenceConflictError",
    "ServerError",
    "ServiceUnreachableError",
    "Snapshot",
    "StreamClosedError",
    "Summary",
    "Sweep",
    "Task",
    "TaskSwitch",
    "TensorEntry",
    "Trial",
    "UnauthorizedError",
    "Worker",
]
