"""A flipped byte, a missing chunk, a damaged header: the job fails with a code of its own, in the user's words, for good."""

from __future__ import annotations

import pytest
import torch
from sqlalchemy import delete, update

from ewc_core.resume import ResumePoint
from ewc_core.specs import AnalysisSpec, SupervisedSpec
from store.blobs import stage_blob
from store.job_states import JobStatus
from store.tables import BlobChunkRow, BlobRow
from tests.worker.conftest import SPEC
from worker.checkpoint import MEDIA_TYPE
from worker.runner import JobRunner

pytestmark = pytest.mark.both_engines


def flip(work, blob_id: str, position: int) -> None:
    row = work.connection.execute(BlobChunkRow.__table__.select().where(BlobChunkRow.blob_id == blob_id)).one()
    data = bytearray(row.data)
    data[position] ^= 0x10
    work.connection.execute(update(BlobChunkRow).where(BlobChunkRow.blob_id == blob_id).values(data=bytes(data)))


def cut(work, blob_id: str, seq: int = 0) -> None:
    row = work.connection.execute(BlobChunkRow.__table__.select().where(BlobChunkRow.blob_id == blob_id)).one()
    work.connection.execute(update(BlobChunkRow).where(BlobChunkRow.blob_id == blob_id).values(data=row.data[:-1]))


def drop_chunks(work, blob_id: str) -> None:
    work.connection.execute(delete(BlobChunkRow).where(BlobChunkRow.blob_id == blob_id))


def change(**values):
    return lambda work, blob_id: work.connection.execute(update(BlobRow).where(BlobRow.id == blob_id).values(**values))


DAMAGE = {
    "a byte of its tensors": lambda work, blob_id: flip(work, blob_id, -7),
    "a byte of its header": lambda work, blob_id: flip(work, blob_id, 9),
    "the length of its header": lambda work, blob_id: flip(work, blob_id, 7),
    "a cut chunk": cut,
    "no chunk": drop_chunks,
    "half a blob": change(state="staging"),
    "another digest": change(sha256="0" * 64),
    "a size that is none": change(size=-1),
    "chunks of no size": change(chunk_size=0),
}


@pytest.fixture
def paused(database, settings, claim):
    """A job that rests at a resume point in its second visit; returns its id."""
    fence = claim()
    runner = JobRunner(database, settings, fence)
    after_step = runner._after_step

    def stop_in_the_second_visit(training, event):
        if event.visit.index == 1:
            runner.stop()
        after_step(training, event)

    runner._after_step = stop_in_the_second_visit
    runner.run()
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    return fence.job_id


@pytest.fixture
def go_on(database, settings, claim):
    """Train the job on, and return it."""

    def _go_on(job_id):
        JobRunner(database, settings, claim(job_id)).run()
        with database.read() as work:
            return work.jobs.get(job_id), work.events.page(job_id)

    return _go_on


def assert_it_is_told_well(job, events, code: str) -> None:
    assert (job.status, job.status_reason) == (JobStatus.FAILED, code)
    assert (job.error["code"], job.error["retryable"]) == (code, False)
    assert "Submit its spec again" in job.error["message"] or "submit the job's spec again" in job.error["message"]
    for text in [job.error["message"], *(event.message for event in events)]:
        assert "/" not in text
        assert "Traceback" not in text


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_resume_point_fails_the_job_for_good(database, go_on, name):
    point = ResumePoint(visit_index=1, step=3, tensors={"naive.w": torch.zeros(5)}).to_bytes()
    blob_id = stage_blob(database, point, fence=None, media_type=MEDIA_TYPE)
    with database.write() as work:
        job_id = work.jobs.create(SupervisedSpec.model_validate(SPEC), owner="tests").id
        work.blobs.finish(blob_id)
        work.resume_points.put(job_id, visit_index=1, step=3, blob_id=blob_id)
        DAMAGE[name](work, blob_id)
    job, events = go_on(job_id)
    assert_it_is_told_well(job, events, "resume_point_damaged")


def test_a_damaged_checkpoint_fails_the_job_that_goes_on_from_it_and_an_analysis_of_it(database, paused, go_on):
    with database.write() as work:
        (constraint,) = work.constraints.of_job(paused)
        flip(work, work.checkpoints.get(constraint.checkpoint_id).blob_id, -7)
        analysis = AnalysisSpec.model_validate({"kind": "analysis", "job_id": paused, "question": {"kind": "capacity"}})
        analysis_id = work.jobs.create(analysis, owner="tests").id
    for job_id in (paused, analysis_id):
        job, events = go_on(job_id)
        assert_it_is_told_well(job, events, "checkpoint_damaged")
        assert constraint.checkpoint_id in job.error["message"]
