"""Snapshots: what the finished visits of a job have left, to go on from there."""

from __future__ import annotations

from dataclasses import dataclass, field

from ewc_client.models import Body


@dataclass(frozen=True)
class ConstraintInForce:
    """A constraint as it was in force after a visit: made in visit `visit_index`, kept in that checkpoint, counted `weight`
    times."""

    task_index: int
    visit_index: int
    checkpoint_id: str
    ewc_lambda: float
    weight: float

    @classmethod
    def from_body(cls, body: Body) -> ConstraintInForce:
        """From an item of a snapshot's `constraints`."""
        return cls(
            task_index=int(body["task_index"]),
            visit_index=int(body["visit_index"]),
            checkpoint_id=str(body["checkpoint_id"]),
            ewc_lambda=float(body["ewc_lambda"]),
            weight=float(body["weight"]),
        )


@dataclass(frozen=True)
class Snapshot:
    """What a finished visit left, `num_bytes` of it; `methods` are the networks in it.

    An agent also has replays, of `replay_bytes`. Where they were too large (`keeps_replays` is False), the job goes on from
    here only where they still lie beside its record.
    """

    id: str
    job_id: str
    visit_index: int
    task_index: int
    num_bytes: int
    methods: tuple[str, ...]
    constraints: tuple[ConstraintInForce, ...]
    keeps_replays: bool
    replay_bytes: int
    created_at: str
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Snapshot:
        """From an item of a snapshots list."""
        return cls(
            id=str(body["id"]),
            job_id=str(body["job_id"]),
            visit_index=int(body["visit_index"]),
            task_index=int(body["task_index"]),
            num_bytes=int(body["num_bytes"]),
            methods=tuple(body["methods"]),
            constraints=tuple(ConstraintInForce.from_body(one) for one in body["constraints"]),
            keeps_replays=bool(body["replays"]["are_kept"]),
            replay_bytes=int(body["replays"]["num_bytes"]),
            created_at=str(body["created_at"]),
            raw=body,
        )
