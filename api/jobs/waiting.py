"""A queued job's place in the queue, and why it may wait for a worker that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from api.jobs.schemas import WaitingFor
from store.job_states import JobStatus
from store.records import JobSummary
from store.unit_of_work import Work
from store.worker_records import WorkerRecord


@dataclass(frozen=True)
class PlaceInQueue:
    """`position` as `Queue.position` counts. `waiting_for` is what all running workers lack, so that none of them could take
    the job even if it ran nothing else; None if one could."""

    position: int | None
    waiting_for: WaitingFor | None

    @property
    def tag(self) -> str:
        """Differs whenever anything of it does."""
        return f"{self.position}" if self.waiting_for is None else f"{self.position}-{self.waiting_for.code}"


def place_in_queue(work: Work, job: JobSummary) -> PlaceInQueue | None:
    """Where the job stands in the queue now; None for one that is not in it."""
    if job.status is not JobStatus.QUEUED:
        return None
    workers = work.workers.alive()
    could_run = any(worker.empty_room.holds(job) for worker in workers)
    return PlaceInQueue(work.queue.position(job), None if could_run else _missing(workers, job))


def _missing(workers: Sequence[WorkerRecord], job: JobSummary) -> WaitingFor:
    if not workers:
        return WaitingFor(code="worker", message="no worker is running")
    with_labels = [worker for worker in workers if set(worker.labels).issuperset(job.labels)]
    if not with_labels:
        wanted = ", ".join(job.labels)
        return WaitingFor(code="labels", message=f"no running worker has all labels that it asks for: {wanted}")
    if not any(worker.device == job.device for worker in with_labels):
        return WaitingFor(code="device", message=f"no running worker with its labels is for device {job.device}")
    most = max(worker.memory_bytes or 0 for worker in with_labels)
    asked = f"it asks for {job.memory_bytes} bytes of memory, and the largest running worker with its labels offers {most}"
    return WaitingFor(code="memory", message=asked)
