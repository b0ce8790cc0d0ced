"""Checkpoints, constraints and resume points."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import IntegrityError

from ewc_core.errors import BlobIncomplete, InvalidCursor, NotFound
from store.blobs import read_blob, stage_blob
from store.records import CheckpointRecord
from store.unit_of_work import Database
from tests.store.conftest import OWNER, execute, make_job

TENSORS = [{"name": "anchor.0.weight", "dtype": "F32", "shape": [2, 3], "begin": 128, "end": 152}]


def add_checkpoint(
    database: Database, job_id: str, visit_index: int, *, method: str = "ewc", data: bytes = b"abc"
) -> CheckpointRecord:
    """A checkpoint with these bytes."""
    blob_id = stage_blob(database, data, fence=None, media_type="test")
    with database.write() as work:
        work.blobs.finish(blob_id)
        return work.checkpoints.add(
            job_id,
            visit_index=visit_index,
            task_index=visit_index % 2,
            method=method,
            blob_id=blob_id,
            weights_sha256="ab" * 32,
            tensors=TENSORS,
        )


def test_a_checkpoint_knows_its_files_size_hash_and_tensors(database, job):
    added = add_checkpoint(database, job.id, 0, data=b"12345")
    with database.read() as work:
        found = work.checkpoints.get(added.id)
        blob = work.blobs.stat(added.blob_id)
    assert found == added
    assert (found.size, found.sha256, found.tensors) == (5, blob.sha256, TENSORS)
    assert read_blob(database, found.blob_id) == b"12345"


def test_a_checkpoint_of_another_owner_is_not_found(database, job):
    added = add_checkpoint(database, job.id, 0)
    with database.read() as work:
        assert work.checkpoints.get(added.id, owner=OWNER) == added
        for checkpoint_id, owner in ((added.id, "mallory"), ("ckpt_none", OWNER)):
            with pytest.raises(NotFound, match=checkpoint_id):
                work.checkpoints.get(checkpoint_id, owner=owner)


def test_checkpoints_are_paged_in_the_order_of_visits(database, job):
    ids = [add_checkpoint(database, job.id, visit).id for visit in (2, 0, 1)]
    add_checkpoint(database, make_job(database).id, 0)
    ordered = [ids[1], ids[2], ids[0]]
    with database.read() as work:
        page = work.checkpoints.page(job.id, limit=2)
        assert ([one.id for one in page.items], page.has_more) == (ordered[:2], True)
        page = work.checkpoints.page(job.id, limit=2, after=ordered[1])
        assert ([one.id for one in page.items], page.has_more) == (ordered[2:], False)
        with pytest.raises(InvalidCursor, match="ckpt_none"):
            work.checkpoints.page(job.id, after="ckpt_none")


def test_the_latest_checkpoint_is_of_the_last_visit(database, job):
    with database.read() as work:
        assert work.checkpoints.latest(job.id) is None
    last = add_checkpoint(database, job.id, 1)
    add_checkpoint(database, job.id, 0)
    with database.read() as work:
        assert work.checkpoints.latest(job.id) == last


def test_a_visit_leaves_one_checkpoint_per_method(database, job):
    add_checkpoint(database, job.id, 0)
    add_checkpoint(database, job.id, 0, method="naive")
    with pytest.raises(IntegrityError):
        add_checkpoint(database, job.id, 0)


def test_a_blob_that_is_not_finished_is_no_checkpoint_and_no_resume_point(database, job):
    blob_id = stage_blob(database, b"abc", fence=None, media_type="test")
    with database.write() as work:
        with pytest.raises(BlobIncomplete, match="'staging'"):
            work.checkpoints.add(
                job.id, visit_index=0, task_index=0, method="ewc", blob_id=blob_id, weights_sha256="00", tensors=TENSORS
            )
        with pytest.raises(BlobIncomplete, match="'staging'"):
            work.resume_points.put(job.id, visit_index=0, step=1, blob_id=blob_id)


def test_a_tasks_constraint_is_replaced_not_added(database, job):
    first, second, other = (add_checkpoint(database, job.id, visit) for visit in (0, 2, 1))
    info = {"estimator": "exact", "num_examples": 1437, "scale": "mean"}
    with database.write() as work:
        work.constraints.put(job.id, task_index=1, visit_index=1, checkpoint_id=other.id, ewc_lambda=5.0, info=info)
        work.constraints.put(job.id, task_index=0, visit_index=0, checkpoint_id=first.id, ewc_lambda=5.0, info=info)
        put = work.constraints.put(job.id, task_index=0, visit_index=2, checkpoint_id=second.id, ewc_lambda=7.5, info=info)
    with database.read() as work:
        found = work.constraints.of_job(job.id)
    assert [(one.task_index, one.visit_index, one.checkpoint_id, one.ewc_lambda) for one in found] == [
        (0, 2, second.id, 7.5),
        (1, 1, other.id, 5.0),
    ]
    assert found[0] == put
    assert found[0].info == info


def test_a_resume_point_replaces_the_last_one_and_its_bytes(database, job):
    blob_ids = []
    for step, data in ((3, b"three"), (6, b"six")):
        blob_ids.append(stage_blob(database, data, fence=None, media_type="test"))
        with database.write() as work:
            work.blobs.finish(blob_ids[-1])
            work.resume_points.put(job.id, visit_index=0, step=step, blob_id=blob_ids[-1])
    with database.read() as work:
        point = work.resume_points.get(job.id)
        assert (point.visit_index, point.step, point.blob_id) == (0, 6, blob_ids[1])
        with pytest.raises(NotFound):
            work.blobs.stat(blob_ids[0])
        with pytest.raises(NotFound):
            work.blobs.read_chunk(blob_ids[0], 0)
    assert read_blob(database, point.blob_id) == b"six"


@pytest.mark.parametrize(("status", "kept"), [("succeeded", False), ("cancelled", False), ("failed", True), ("paused", True)])
def test_a_job_keeps_its_resume_point_while_it_can_still_go_on(database, job, status, kept):
    blob_id = stage_blob(database, b"abc", fence=None, media_type="test")
    before = {"succeeded": "running", "failed": "running", "cancelled": "cancelling", "paused": "pausing"}
    execute(database, "UPDATE jobs SET status = :status", status=before[status])
    with database.write() as work:
        work.blobs.finish(blob_id)
        work.resume_points.put(job.id, visit_index=0, step=1, blob_id=blob_id)
        work.jobs.transition(job.id, status, reason="test", actor="test")
        assert (work.resume_points.get(job.id) is not None) is kept


def test_dropping_a_resume_point_drops_its_bytes(database, job):
    blob_id = stage_blob(database, b"abc", fence=None, media_type="test")
    with database.write() as work:
        work.resume_points.drop(job.id)
        work.blobs.finish(blob_id)
        work.resume_points.put(job.id, visit_index=0, step=1, blob_id=blob_id)
        work.resume_points.drop(job.id)
        assert work.resume_points.get(job.id) is None
        with pytest.raises(NotFound):
            work.blobs.stat(blob_id)
