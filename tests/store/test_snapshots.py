"""Snapshots: one per visit, whole or not at all, and the newest are kept."""

from __future__ import annotations

import pytest

from ewc_core.errors import BlobIncomplete, InvalidCursor
from store.blobs import stage_blob
from tests.store.conftest import OWNER, make_job


def add_snapshot(database, job_id, visit_index, *, data=b"state"):
    blob_id = stage_blob(database, data, fence=None, media_type="test", shared_by=OWNER)
    with database.write() as work:
        work.blobs.finish(blob_id)
        manifest = {"version": 1, "constraints": []}
        return work.snapshots.add(job_id, visit_index=visit_index, task_index=0, manifest=manifest, parts={"small": blob_id})


def test_a_snapshot_is_found_by_its_visit_with_its_parts(database, job):
    added = [add_snapshot(database, job.id, visit, data=b"x" * (visit + 1)) for visit in (0, 1)]
    with database.read() as work:
        assert (work.snapshots.find(job.id, 0), work.snapshots.latest(job.id)) == tuple(added)
        assert work.snapshots.find(job.id, 2) is None
        assert [one.num_bytes for one in added] == [1, 2]
        assert work.blobs.stat(work.snapshots.parts(added[0].id)["small"]).state == "ready"


def test_a_snapshot_with_a_part_that_is_not_finished_is_refused(database, job):
    blob_id = stage_blob(database, b"state", fence=None, media_type="test", shared_by=OWNER)
    with database.write() as work, pytest.raises(BlobIncomplete, match="0 of the 1 parts of visit 0"):
        work.snapshots.add(job.id, visit_index=0, task_index=0, manifest={}, parts={"small": blob_id})


def test_snapshots_are_paged_in_the_order_of_visits(database, job):
    ids = [add_snapshot(database, job.id, visit).id for visit in (0, 1, 2)]
    other = add_snapshot(database, make_job(database).id, 0)
    with database.read() as work:
        page = work.snapshots.list(job.id, limit=2)
        assert ([one.id for one in page.items], page.has_more) == (ids[:2], True)
        rest = work.snapshots.list(job.id, limit=2, after=ids[1])
        assert ([one.id for one in rest.items], rest.has_more) == (ids[2:], False)
        with pytest.raises(InvalidCursor, match=other.id):
            work.snapshots.list(job.id, limit=2, after=other.id)


def test_the_newest_snapshots_are_kept_and_the_bytes_of_others_released(database, job):
    added = [add_snapshot(database, job.id, visit, data=b"%d" % visit) for visit in range(4)]
    other = add_snapshot(database, make_job(database).id, 0)
    with database.write() as work:
        blobs = [work.snapshots.parts(one.id)["small"] for one in [*added, other]]
        work.snapshots.keep_newest(job.id, 2)
        assert work.snapshots.visits(job.id) == [2, 3]
        assert [work.blobs.stat(blob).state for blob in blobs] == ["staging", "staging", "ready", "ready", "ready"]
        work.snapshots.keep_newest(job.id, 0)
        assert work.snapshots.visits(job.id) == [3], "the latest always stays"
