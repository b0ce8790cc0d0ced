"""Checkpoints: what is kept of a visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, insert, select, tuple_

from ewc_core.errors import InvalidCursor, NotFound
from store.ids import new_id
from store.records import CheckpointRecord, Page
from store.repositories.blobs import Blobs
from store.repositories.repository import Repository
from store.tables import BlobRow, CheckpointRow, ConstraintRow, JobRow


class Checkpoints(Repository):
    """Checkpoints in the order of their visits. Their bytes are blobs that are ready."""

    def add(
        self,
        job_id: str,
        *,
        visit_index: int,
        task_index: int,
        method: str,
        blob_id: str,
        weights_sha256: str,
        tensors: Sequence[Mapping[str, Any]],
    ) -> CheckpointRecord:
        """Record a finished blob as the checkpoint of one method after one visit.

        `tensors`: name, dtype, shape, begin and end (bytes of the file, end exclusive).

        Raises:
            BlobIncomplete: the blob is not finished yet (`blobs.finish` comes first, in the same transaction).
        """
        blob = Blobs(self._transaction).require_ready(blob_id)
        row: dict[str, Any] = {
            "id": new_id("ckpt"),
            "job_id": job_id,
            "visit_index": visit_index,
            "task_index": task_index,
            "method": method,
            "blob_id": blob_id,
            "weights_sha256": weights_sha256,
            "tensors": [dict(tensor) for tensor in tensors],
            "created_at": self._now,
        }
        self._connection.execute(insert(CheckpointRow).values(**row))
        return CheckpointRecord(**row, size=blob.size, sha256=blob.sha256)

    def get(self, checkpoint_id: str, *, owner: str | None = None) -> CheckpointRecord:
        """One checkpoint.

        Raises:
            NotFound: there is no such checkpoint, or its job belongs to another owner.
        """
        query = _select().where(CheckpointRow.id == checkpoint_id)
        if owner is not None:
            query = query.join(JobRow, JobRow.id == CheckpointRow.job_id).where(JobRow.owner == owner)
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFound("checkpoint", checkpoint_id)
        return CheckpointRecord(**row)

    def by_ids(self, ids: Sequence[str]) -> dict[str, CheckpointRecord]:
        """Those of these checkpoints that are there, by their ids."""
        rows = self._connection.execute(_select().where(CheckpointRow.id.in_(ids))).mappings()
        return {row["id"]: CheckpointRecord(**row) for row in rows}

    def page(self, job_id: str, *, limit: int = 100, after: str | None = None) -> Page[CheckpointRecord]:
        """Checkpoints in the order of visits, then of ids; `after` is the id of the last one seen.

        Raises:
            InvalidCursor: `after` is no checkpoint of this job.
        """
        query = _select().where(CheckpointRow.job_id == job_id).order_by(CheckpointRow.visit_index, CheckpointRow.id)
        if after is not None:
            query = query.where(tuple_(CheckpointRow.visit_index, CheckpointRow.id) > (self._visit_of(job_id, after), after))
        rows = self._connection.execute(query.limit(limit + 1)).mappings().all()
        return Page(items=[CheckpointRecord(**row) for row in rows[:limit]], has_more=len(rows) > limit)

    def latest(self, job_id: str, *, visit_index: int | None = None, method: str | None = None) -> CheckpointRecord | None:
        """The newest checkpoint of the last visit that left one, or of one visit; of any method, or of `method` alone."""
        query = _select().where(CheckpointRow.job_id == job_id)
        if method is not None:
            query = query.where(CheckpointRow.method == method)
        if visit_index is not None:
            query = query.where(CheckpointRow.visit_index == visit_index)
        query = query.order_by(CheckpointRow.visit_index.desc(), CheckpointRow.created_at.desc(), CheckpointRow.id.desc())
        row = self._connection.execute(query.limit(1)).mappings().one_or_none()
        return None if row is None else CheckpointRecord(**row)

    def of_constraints(self, job_id: str) -> list[CheckpointRecord]:
        """The checkpoints that hold the job's constraints, in the order of their tasks."""
        query = _select().join(ConstraintRow, ConstraintRow.checkpoint_id == CheckpointRow.id)
        query = query.where(ConstraintRow.job_id == job_id).order_by(ConstraintRow.task_index)
        return [CheckpointRecord(**row) for row in self._connection.execute(query).mappings()]

    def latest_of_tasks(self, job_id: str, *, method: str, up_to_visit: int) -> dict[int, CheckpointRecord]:
        """By task, the method's checkpoint after the last visit to it, later visits than `up_to_visit` left out."""
        query = _select().where(
            CheckpointRow.job_id == job_id, CheckpointRow.method == method, CheckpointRow.visit_index <= up_to_visit
        )
        rows = self._connection.execute(query.order_by(CheckpointRow.visit_index)).mappings()
        return {row["task_index"]: CheckpointRecord(**row) for row in rows}

    def _visit_of(self, job_id: str, checkpoint_id: str) -> int:
        query = select(CheckpointRow.visit_index).where(CheckpointRow.job_id == job_id, CheckpointRow.id == checkpoint_id)
        visit_index = self._connection.execute(query).scalar_one_or_none()
        if visit_index is None:
            raise InvalidCursor(f"cursor {checkpoint_id!r} is no checkpoint of job {job_id}; expected the id of one")
        return visit_index


def _select() -> Select[Any]:
    # The blob's size and hash are the checkpoint's; they are stored once.
    columns: list[Any] = [*CheckpointRow.__table__.columns, BlobRow.size, BlobRow.sha256]
    return select(*columns).join(BlobRow, BlobRow.id == CheckpointRow.blob_id)
