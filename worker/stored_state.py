"""Reading back what training has stored: resume points, snapshots and checkpoints, with damage told in the user's words."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor

from ewc_core import tensor_file
from ewc_core.consolidation import Constraint
from ewc_core.errors import (
    BlobCorrupt,
    BlobIncomplete,
    CheckpointDamaged,
    NotFound,
    ResumePointDamaged,
    StateFormatError,
    StoreDamaged,
)
from ewc_core.resume import ResumePoint
from store.blobs import read_blob
from store.records import CheckpointRecord, ResumePointRecord, SnapshotRecord
from store.unit_of_work import Database
from worker.checkpoint import tensor_index
from worker.stored_bytes import StoredBytes

log = logging.getLogger(__name__)
_DAMAGE = (BlobCorrupt, BlobIncomplete, NotFound, StateFormatError, StoreDamaged)
_ANCHOR = "anchor."
_Content = TypeVar("_Content")


def stored_point(stored: StoredBytes, saved: ResumePointRecord) -> ResumePoint:
    """The resume point, whose bytes are checked now, and whose tensors are read when they are looked at.

    Raises:
        ResumePointDamaged: its bytes are not those that were stored.
    """
    try:
        return ResumePoint.open(*stored.open(saved.blob_id, check_whole=True))
    except _DAMAGE as error:
        log.error("job %s: its resume point is damaged: %s", saved.job_id, error)
        where = f"visit {saved.visit_index}, step {saved.step}"
        raise ResumePointDamaged(f"its stored state (at {where}) is damaged") from error


@contextmanager
def restoring(snapshot: SnapshotRecord) -> Iterator[None]:
    """Damage met in here is damage of the snapshot.

    Raises:
        ResumePointDamaged: something of it is not what was stored.
    """
    try:
        yield
    except _DAMAGE as error:
        log.error("job %s: snapshot %s is damaged: %s", snapshot.job_id, snapshot.id, error)
        raise ResumePointDamaged(f"its stored state (after visit {snapshot.visit_index}) is damaged") from error


def constraints_in(database: Database, snapshot: SnapshotRecord) -> list[Constraint]:
    """The constraints in force when a snapshot was taken: a task that was visited again since has another one now.

    Raises:
        CheckpointDamaged: the stored bytes of one of them are not those that were written.
    """
    ids = [constraint["checkpoint_id"] for constraint in snapshot.manifest["constraints"]]
    with database.read() as work:
        checkpoints = work.checkpoints.by_ids(ids)
    for checkpoint_id in ids:
        if checkpoint_id not in checkpoints:
            raise CheckpointDamaged(checkpoint_id)
    return [stored_constraint(database, checkpoints[checkpoint_id]) for checkpoint_id in ids]


def constraint_weights_in(snapshot: SnapshotRecord) -> dict[int, float]:
    """How often those constraints counted, by task, where their owner had changed it."""
    return {it["task_index"]: it["weight"] for it in snapshot.manifest["constraints"] if it["weight"] != 1.0}


def stored_constraint(database: Database, checkpoint: CheckpointRecord) -> Constraint:
    """The constraint that a checkpoint holds.

    Raises:
        CheckpointDamaged: its bytes are not those that were stored.
    """
    return _checked(database, checkpoint, Constraint.from_bytes)


def opened_constraint(stored: StoredBytes, checkpoint: CheckpointRecord, *, check_whole: bool) -> Constraint:
    """The constraint that a checkpoint holds, whose tensors are read when they are looked at.

    Raises:
        CheckpointDamaged: it is no constraint or, with `check_whole`, its bytes are not those that were stored.
    """
    with _damage_told(checkpoint):
        return Constraint.open(*stored.open(checkpoint.blob_id, check_whole=check_whole))


def stored_weights(database: Database, checkpoint: CheckpointRecord) -> dict[str, Tensor]:
    """The anchor that a checkpoint holds, with or without a Fisher beside it.

    Raises:
        CheckpointDamaged: its bytes are not those that were stored.
    """
    return _checked(database, checkpoint, _anchor)


def _checked(database: Database, checkpoint: CheckpointRecord, parse: Callable[[bytes], _Content]) -> _Content:
    with _damage_told(checkpoint):
        return parse(read_blob(database, checkpoint.blob_id))


@contextmanager
def _damage_told(checkpoint: CheckpointRecord) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        log.error("job %s: checkpoint %s is damaged: %s", checkpoint.job_id, checkpoint.id, error)
        raise CheckpointDamaged(checkpoint.id) from error


def _anchor(data: bytes) -> dict[str, Tensor]:
    is_constraint = any(entry["name"].startswith("fisher.") for entry in tensor_index(data))
    tensors, _ = tensor_file.decode(data, kind="ewc-constraint" if is_constraint else "ewc-anchor")
    return {name.removeprefix(_ANCHOR): tensor for name, tensor in tensors.items() if name.startswith(_ANCHOR)}
