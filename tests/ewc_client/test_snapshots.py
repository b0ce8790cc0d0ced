"""Snapshots through the client, against the real API."""

from __future__ import annotations

from ewc_client import ConstraintInForce, EWCClient
from tests.api.lives import SPEC, leave_snapshot
from tests.ewc_client.conftest import Service


def test_snapshots_come_in_the_order_of_visits_with_the_constraints_of_then(service: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    constraint = leave_snapshot(service.database, job.id, 0)
    leave_snapshot(service.database, job.id, 1, replay_bytes=7)
    first, second = job.snapshots()
    assert (first.visit_index, first.task_index, first.num_bytes, first.methods) == (0, 0, 5, ("ewc", "naive"))
    assert first.constraints == (ConstraintInForce(**constraint),)
    assert client.checkpoint(first.constraints[0].checkpoint_id).job_id == job.id
    assert (first.keeps_replays, first.replay_bytes) == (True, 0)
    assert (second.visit_index, second.keeps_replays, second.replay_bytes) == (1, False, 7)
