"""The tables. Importing this package registers all of them on `Base.metadata`."""

from store.base import Base
from store.tables.access import ApiKeyRow, IdempotencyRow
from store.tables.blobs import BlobChunkRow, BlobRow, ChunkUseRow, SharedChunkRow
from store.tables.jobs import AttemptRow, JobRow, TransitionRow
from store.tables.learning import CheckpointRow, ConstraintRow, ResumePointRow
from store.tables.observations import EvaluationRow, EventRow, MetricRow
from store.tables.results import ResultRow
from store.tables.snapshots import SnapshotPartRow, SnapshotRow
from store.tables.sweeps import SweepRow, TrialRow
from store.tables.tasks import SwitchRow, TaskRow
from store.tables.workers import LeaseRow, WorkerRow

__all__ = [
    "ApiKeyRow",
    "AttemptRow",
    "Base",
    "BlobChunkRow",
    "BlobRow",
    "CheckpointRow",
    "ChunkUseRow",
    "ConstraintRow",
    "EvaluationRow",
    "EventRow",
    "IdempotencyRow",
    "JobRow",
    "LeaseRow",
    "MetricRow",
    "ResultRow",
    "ResumePointRow",
    "SharedChunkRow",
    "SnapshotPartRow",
    "SnapshotRow",
    "SweepRow",
    "SwitchRow",
    "TaskRow",
    "TransitionRow",
    "TrialRow",
    "WorkerRow",
]
