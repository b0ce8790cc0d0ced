"""Resume points: one per job."""

from __future__ import annotations

from sqlalchemy import delete, select

from store.records import ResumePointRecord
from store.repositories.blobs import Blobs
from store.repositories.repository import Repository
from store.tables import ResumePointRow


class ResumePoints(Repository):
    """Where a job continues. The replaced point's bytes are deleted in the same transaction."""

    def put(self, job_id: str, *, visit_index: int, step: int, blob_id: str) -> ResumePointRecord:
        """Replace the job's resume point by a finished blob.

        Raises:
            BlobIncomplete: the blob is not finished yet (`blobs.finish` comes first, in the same transaction).
        """
        Blobs(self._transaction).require_ready(blob_id)
        replaced = self.get(job_id)
        row = {"job_id": job_id, "visit_index": visit_index, "step": step, "blob_id": blob_id, "created_at": self._now}
        self._insert_or_replace(ResumePointRow, [row], key=("job_id",))
        if replaced is not None and replaced.blob_id != blob_id:
            Blobs(self._transaction).delete(replaced.blob_id)
        return ResumePointRecord(job_id=job_id, visit_index=visit_index, step=step, blob_id=blob_id, created_at=self._now)

    def get(self, job_id: str) -> ResumePointRecord | None:
        """The job's resume point, or None."""
        query = select(ResumePointRow).where(ResumePointRow.job_id == job_id)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else ResumePointRecord(**row)

    def drop(self, job_id: str) -> None:
        """Delete the job's resume point and its bytes, if there is one."""
        point = self.get(job_id)
        if point is None:
            return
        self._connection.execute(delete(ResumePointRow).where(ResumePointRow.job_id == job_id))
        Blobs(self._transaction).delete(point.blob_id)
