"""The body of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from api.root_path import public_path
from api.schemas import Record, Resource
from store.records import CheckpointRecord


class TensorPlace(Resource):
    """Where a tensor lies in the content: bytes `begin` to `end`, end exclusive, little endian, row major."""

    name: str
    dtype: str
    shape: Sequence[int]
    begin: int
    end: int


class Checkpoint(Record):
    """What is stored for a consolidated task: the anchor and the Fisher as one safetensors file of `size` bytes."""

    object: Literal["checkpoint"] = "checkpoint"
    job_id: str
    visit_index: int
    task_index: int
    method: str
    size: int
    sha256: str
    weights_sha256: str
    tensors: Sequence[TensorPlace]
    created_at: datetime
    links: Mapping[str, str]


def checkpoint_body(record: CheckpointRecord) -> Checkpoint:
    """The checkpoint as the service shows it."""
    path = public_path(f"/v1/checkpoints/{record.id}")
    links = {"self": path, "content": f"{path}/content", "job": public_path(f"/v1/jobs/{record.job_id}")}
    return Checkpoint.model_validate({**vars(record), "tensors": [dict(tensor) for tensor in record.tensors], "links": links})
