"""Snapshots of a job, as the service shows them."""

from __future__ import annotations

from tests.api.lives import leave_snapshot


def test_snapshots_say_what_they_hold_and_come_in_pages(client, submit, database):
    job_id = submit()
    constraint, _ = (leave_snapshot(database, job_id, visit) for visit in range(2))
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
