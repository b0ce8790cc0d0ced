"""The body of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from api.root_path import public_path
from api.schemas import Record, Resource
from store.records import SnapshotRecord


class ConstraintInForce(Resource):
    """A constraint as it was in force after the visit: made in visit `visit_index`, and kept in that checkpoint."""

    task_index: int
    visit_index: int
    checkpoint_id: str
    ewc_lambda: float
    weight: float


class KeptFiles(Resource):
    """Replays of agents, in bytes. Without them the job goes on from here only where they still lie beside its record."""

    are_kept: bool
    num_bytes: int


class Snapshot(Record):
    """What a finished visit left: all that the job needs to go on from there. `methods` are the networks in it, `num_bytes` is
    its size; what it has in common with other snapshots of the owner is stored once."""

    object: Literal["snapshot"] = "snapshot"
    job_id: str
    visit_index: int
    task_index: int
    num_bytes: int
    methods: Sequence[str]
    constraints: Sequence[ConstraintInForce]
    replays: KeptFiles
    created_at: datetime
    links: Mapping[str, str]


def snapshot_body(record: SnapshotRecord) -> Snapshot:
    """The snapshot as the service shows it."""
    manifest = record.manifest
    links = {
        "checkpoint": public_path(f"/v1/checkpoints/{manifest['checkpoint_id']}"),
        "job": public_path(f"/v1/jobs/{record.job_id}"),
    }
    replays = {name: manifest["files"][name] for name in KeptFiles.model_fields}
    shown = {"methods": manifest["methods"], "constraints": manifest["constraints"], "replays": replays, "links": links}
    return Snapshot.model_validate({**vars(record), **shown})
