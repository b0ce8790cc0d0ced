"""Snapshots: what committed visits left, to go on from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, delete, func, insert, select

from ewc_core.errors import BlobIncomplete, InvalidCursor
from store.ids import new_id
from store.records import Page, SnapshotRecord
from store.repositories.blobs import Blobs
from store.repositories.repository import Repository
from store.tables import BlobRow, SnapshotPartRow, SnapshotRow


class Snapshots(Repository):
    """At most one per visit of a job. The bytes of their parts are blobs that are ready."""

    def add(
        self, job_id: str, *, visit_index: int, task_index: int, manifest: Mapping[str, Any], parts: Mapping[str, str]
    ) -> SnapshotRecord:
        """Record what a visit left; `parts` are finished blobs by the name that the manifest has for them.

        Raises:
            BlobIncomplete: a blob is not finished yet (`blobs.finish` comes first, in the same transaction).
        """
        sizes = select(func.count(), func.coalesce(func.sum(BlobRow.size), 0))
        ready = sizes.where(BlobRow.id.in_(parts.values()), BlobRow.state == "ready")
        num_ready, num_bytes = self._connection.execute(ready).one()
        if num_ready != len(parts):
            raise BlobIncomplete(f"{num_ready} of the {len(parts)} parts of visit {visit_index}'s snapshot are ready")
        row: dict[str, Any] = {
            "id": new_id("snap"),
            "job_id": job_id,
            "visit_index": visit_index,
            "task_index": task_index,
            "manifest": dict(manifest),
            "num_bytes": int(num_bytes),
            "created_at": self._now,
        }
        self._connection.execute(insert(SnapshotRow).values(**row))
        if parts:
            rows = [{"snapshot_id": row["id"], "name": name, "blob_id": blob_id} for name, blob_id in parts.items()]
            self._connection.execute(insert(SnapshotPartRow), rows)
        return SnapshotRecord(**row)

    def latest(self, job_id: str) -> SnapshotRecord | None:
        """The snapshot of the last visit that left one."""
        return self._first(_of(job_id).order_by(SnapshotRow.visit_index.desc()))

    def find(self, job_id: str, visit_index: int) -> SnapshotRecord | None:
        """The snapshot of one visit, or None where it left none or it was dropped."""
        return self._first(_of(job_id).where(SnapshotRow.visit_index == visit_index))

    def visits(self, job_id: str) -> list[int]:
        """The visits whose snapshots are kept, in their order."""
        query = select(SnapshotRow.visit_index).where(SnapshotRow.job_id == job_id).order_by(SnapshotRow.visit_index)
        return list(self._connection.execute(query).scalars())

    def parts(self, snapshot_id: str) -> dict[str, str]:
        """The blobs of a snapshot by the names of its parts."""
        query = select(SnapshotPartRow.name, SnapshotPartRow.blob_id).where(SnapshotPartRow.snapshot_id == snapshot_id)
        return {row.name: row.blob_id for row in self._connection.execute(query)}

    def list(self, job_id: str, *, limit: int, after: str | None = None) -> Page[SnapshotRecord]:
        """Snapshots in the order of visits; `after` is the id of the last one seen.

        Raises:
            InvalidCursor: `after` is no snapshot of this job.
        """
        query = _of(job_id).order_by(SnapshotRow.visit_index)
        if after is not None:
            last = select(SnapshotRow.visit_index).where(SnapshotRow.job_id == job_id, SnapshotRow.id == after)
            visit_index = self._connection.execute(last).scalar_one_or_none()
            if visit_index is None:
                raise InvalidCursor(f"cursor {after!r} is no snapshot of job {job_id}; expected the id of one")
            query = query.where(SnapshotRow.visit_index > visit_index)
        rows = self._connection.execute(query.limit(limit + 1)).mappings().all()
        return Page(items=[SnapshotRecord(**row) for row in rows[:limit]], has_more=len(rows) > limit)

    def keep_newest(self, job_id: str, num: int) -> None:
        """Drop all but the newest `num` (at least 1). Whole snapshots go; constraints are in checkpoints, which stay.

        Their bytes are released here and deleted by the collection of blobs, in short transactions.
        """
        old = select(SnapshotRow.id).where(SnapshotRow.job_id == job_id).order_by(SnapshotRow.visit_index.desc())
        ids = list(self._connection.execute(old.offset(max(1, num))).scalars())
        if not ids:
            return
        blobs = select(SnapshotPartRow.blob_id).where(SnapshotPartRow.snapshot_id.in_(ids))
        released = list(self._connection.execute(blobs).scalars())
        self._connection.execute(delete(SnapshotRow).where(SnapshotRow.id.in_(ids)))
        Blobs(self._transaction).release(released)

    def _first(self, query: Select[Any]) -> SnapshotRecord | None:
        row = self._connection.execute(query.limit(1)).mappings().one_or_none()
        return None if row is None else SnapshotRecord(**row)


def _of(job_id: str) -> Select[Any]:
    return select(*SnapshotRow.__table__.columns).where(SnapshotRow.job_id == job_id)
