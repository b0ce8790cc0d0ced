"""Bringing jobs to where a test needs them, the way workers do: with the store's own repositories."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from store.blobs import stage_blob
from store.job_states import JobStatus
from store.records import CheckpointRecord, Fence
from store.unit_of_work import Database

SPEC: dict[str, Any] = {
    "network": {"hidden_sizes": [8]},
    "method": {"kind": "ewc", "ewc_lambda": 100.0},
    "controls": ["naive"],
    "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
}
ASSOCIATION: dict[str, Any] = {"kind": "association", "num_synapses": 20, "num_patterns": 40, "num_repeats": 2}
WORKER = "wrk_test"
_S = JobStatus
_STEPS_TO = {
    _S.RUNNING: [_S.RUNNING],
    _S.WAITING: [_S.RUNNING, _S.WAITING],
    _S.PAUSING: [_S.RUNNING, _S.PAUSING],
    _S.PAUSED: [_S.RUNNING, _S.PAUSING, _S.PAUSED],
    _S.CANCELLING: [_S.RUNNING, _S.CANCELLING],
    _S.CANCELLED: [_S.RUNNING, _S.CANCELLING, _S.CANCELLED],
    _S.SUCCEEDED: [_S.RUNNING, _S.SUCCEEDED],
    _S.FAILED: [_S.RUNNING, _S.FAILED],
}


def claim(database: Database, job_id: str, *, ttl_seconds: float = 60) -> Fence:
    """A worker takes the queued job."""
    with database.write() as work:
        fence = work.leases.claim(job_id, worker_id=WORKER, ttl_seconds=ttl_seconds)
    assert fence is not None
    return fence


def bring_to(database: Database, job_id: str, status: JobStatus, *, ttl_seconds: float = 60) -> None:
    """Move a queued job on until it has the status; a waiting job has finished its visits, any other is in its first one."""
    if status is JobStatus.QUEUED:
        return
    fence = claim(database, job_id, ttl_seconds=ttl_seconds)
    with database.write() as work:
        for step in _STEPS_TO.get(status, []):
            error = {"code": "worker_lost", "message": "gone"} if step is JobStatus.FAILED else None
            work.jobs.transition(job_id, step, reason="test", actor=WORKER, epoch=fence.epoch, error=error)
        visits = work.switches.visits(job_id)
        if status is JobStatus.WAITING:
            for visit in visits:
                work.switches.finish_visit(job_id, visit.visit_index, num_steps=10)
        elif status is not JobStatus.STARTING and visits:
            work.switches.start_visit(job_id, 0)
            work.jobs.record_progress(job_id, visit_index=0, step=3, num_steps=10)


def add_checkpoint(
    database: Database, job_id: str, data: bytes, *, visit_index: int = 0, task_index: int = 0
) -> CheckpointRecord:
    """Store `data` as the content of a checkpoint."""
    blob_id = stage_blob(database, data, fence=None, media_type="application/vnd.safetensors")
    with database.write() as work:
        work.blobs.finish(blob_id)
        return work.checkpoints.add(
            job_id,
            visit_index=visit_index,
            task_index=task_index,
            method="ewc",
            blob_id=blob_id,
            weights_sha256=sha256(b"weights").hexdigest(),
            tensors=[{"name": "anchor.0.weight", "dtype": "F32", "shape": [2, 2], "begin": 8, "end": 24}],
        )


def finish_visit(
    database: Database, job_id: str, visit_index: int, *, constraint: bool = True, likelihood: str = "categorical"
) -> None:
    """The visit, which is on the task of the same index, is over: checkpoint, and constraint if the method has them."""
    checkpoint = add_checkpoint(database, job_id, b"tensors", visit_index=visit_index, task_index=visit_index)
    info = {"estimator": "exact", "likelihood": likelihood, "num_examples": 1437, "seed": None, "scale": "mean"}
    with database.write() as work:
        if constraint:
            work.constraints.put(
                job_id,
                task_index=visit_index,
                visit_index=visit_index,
                checkpoint_id=checkpoint.id,
                ewc_lambda=100.0,
                info=info,
            )
        work.tasks.note_visit_done(job_id, visit_index, num_examples_seen=1437, checkpoint_id=checkpoint.id)
        work.switches.finish_visit(job_id, visit_index, num_steps=10)


def leave_snapshot(database: Database, job_id: str, visit_index: int, *, replay_bytes: int = 0) -> dict[str, Any]:
    """A snapshot as a finished visit on task 0 leaves it; returns the one constraint that is in force in it. Replays of so many
    bytes were too large to be kept."""
    checkpoint = add_checkpoint(database, job_id, b"tensors", visit_index=visit_index)
    blob_id = stage_blob(database, b"state", fence=None, media_type="test", shared_by="tests")
    constraint = {"task_index": 0, "visit_index": 0, "checkpoint_id": checkpoint.id, "ewc_lambda": 2.0, "weight": 0.5}
    manifest = {
        "version": 1,
        "methods": ["ewc", "naive"],
        "checkpoint_id": checkpoint.id,
        "constraints": [constraint],
        "files": {"are_kept": replay_bytes == 0, "num_bytes": replay_bytes, "sizes": {}},
        "state": {},
    }
    with database.write() as work:
        work.blobs.finish(blob_id)
        parts = {"small": blob_id}
        work.snapshots.add(job_id, visit_index=visit_index, task_index=0, manifest=manifest, parts=parts)
    return constraint


def warn(database: Database, job_id: str, code: str, message: str, *, visit_index: int) -> None:
    """A warning as training writes it."""
    with database.write() as work:
        data = {"code": code, "method": "ewc", "visit_index": visit_index}
        work.events.append(job_id, type="job.warning", level="warn", message=message, data=data)


def find(database: Database, job_id: str, body: dict[str, Any]) -> None:
    """A job without tasks has come to its result."""
    bring_to(database, job_id, JobStatus.RUNNING)
    with database.write() as work:
        work.results.put(job_id, body)
        work.jobs.transition(job_id, JobStatus.SUCCEEDED, reason="computed", actor=WORKER)


def add_events(database: Database, job_id: str, num_events: int) -> None:
    """Events as a worker writes them."""
    for number in range(num_events):
        with database.write() as work:
            work.events.append(job_id, type="test", message=f"event {number}", data={"number": number})
