"""Snapshots of a job, as the service shows them."""

from __future__ import annotations

from store.blobs import stage_blob
from tests.api.lives import add_checkpoint


def _leave(database, job_id, visit_index):
    checkpoint = add_checkpoint(database, job_id, b"tensors", visit_index=visit_index)
    blob_id = stage_blob(database, b"state", fence=None, media_type="test", shared_by="tests")
    constraint = {"task_index": 0, "visit_index": 0, "checkpoint_id": checkpoint.id, "ewc_lambda": 2.0, "weight": 0.5}
    manifest = {
        "version": 1,
        "methods": ["ewc", "naive"],
        "checkpoint_id": checkpoint.id,
        "constraints": [constraint],
        "files": {"are_kept": True, "num_bytes": 0, "sizes": {}},
        "state": {},
    }
    with database.write() as work:
        work.blobs.finish(blob_id)
        parts = {"small": blob_id}
        work.snapshots.add(job_id, visit_index=visit_index, task_index=0, manifest=manifest, parts=parts)
    return constraint


def test_snapshots_say_what_they_hold_and_come_in_pages(client, submit, database):
    job_id = submit()
    constraint, _ = (_leave(database, job_id, visit) for visit in range(2))
    path = client.get(f"/v1/jobs/{job_id}").json()["links"]["snapshots"]
    page = client.get(path, params={"limit": 1}).json()
    (snapshot,) = page["data"]
    assert page["has_more"] is True
    assert (snapshot["visit_index"], snapshot["task_index"], snapshot["num_bytes"]) == (0, 0, 5)
    assert (snapshot["methods"], snapshot["constraints"]) == (["ewc", "naive"], [constraint])
    assert snapshot["replays"] == {"are_kept": True, "num_bytes": 0}
    assert client.get(snapshot["links"]["checkpoint"]).json()["id"] == constraint["checkpoint_id"]
    rest = client.get(path, params={"limit": 1, "after": snapshot["id"]}).json()
    assert ([one["visit_index"] for one in rest["data"]], rest["has_more"]) == ([1], False)


def test_snapshots_of_another_owners_job_are_not_found(caller, submit):
    assert caller().get(f"/v1/jobs/{submit()}/snapshots").status_code == 404
