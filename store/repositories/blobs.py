"""Blobs and their chunks."""

from __future__ import annotations

import zlib

from sqlalchemy import delete, func, insert, select, update

from ewc_core.errors import BlobCorrupt, BlobIncomplete, NotFound, RecordError
from store.base import db_now
from store.ids import new_id
from store.records import BlobRecord
from store.repositories.repository import Repository
from store.tables import BlobChunkRow, BlobRow

CHUNK_SIZE = 4 * 1024 * 1024
"""Bytes of every chunk but the last."""
COLLECTED_CHUNKS = 16
"""Chunks that one transaction of the collection deletes at most."""


class Blobs(Repository):
    """Staged chunk by chunk, finished in the transaction that refers to them, read once ready."""

    def create(self, *, size: int, sha256: str, media_type: str) -> str:
        """A staged blob of `size` bytes without its chunks; returns its id."""
        blob_id = new_id("blob")
        self._connection.execute(
            insert(BlobRow).values(
                id=blob_id,
                size=size,
                chunk_size=CHUNK_SIZE,
                num_chunks=-(-size // CHUNK_SIZE),
                sha256=sha256,
                media_type=media_type,
                state="staging",
                created_at=self._now,
            )
        )
        return blob_id

    def add_chunk(self, blob_id: str, seq: int, data: bytes) -> None:
        """Store chunk `seq` with its checksum; storing it again replaces it.

        Raises:
            BlobIncomplete: the chunk is not of the size that belongs there.
            RecordError: the blob is finished.
        """
        blob = self.stat(blob_id)
        if blob.state != "staging":
            raise RecordError(f"blob {blob_id} is {blob.state!r} and takes no more chunks")
        expected = min(blob.chunk_size, blob.size - seq * blob.chunk_size)
        if not 0 <= seq < blob.num_chunks or len(data) != expected:
            raise BlobIncomplete(
                f"chunk {seq} of blob {blob_id} has {len(data)} bytes; expected {max(expected, 0)} "
                f"(the blob has {blob.num_chunks} chunks, {blob.size} bytes)"
            )
        row = {"blob_id": blob_id, "seq": seq, "data": data, "crc32": zlib.crc32(data)}
        self._insert_or_replace(BlobChunkRow, [row], key=("blob_id", "seq"))

    def finish(self, blob_id: str) -> None:
        """Make the blob ready: from now on it is read, and never collected.

        Raises:
            BlobIncomplete: chunks or bytes are missing.
            NotFound: there is no such blob (it was collected, for instance).
        """
        blob = self.stat(blob_id)
        bytes_stored = func.coalesce(func.sum(func.length(BlobChunkRow.data)), 0)
        stored = select(func.count(), bytes_stored).where(BlobChunkRow.blob_id == blob_id)
        num_chunks, num_bytes = self._connection.execute(stored).one()
        if (num_chunks, num_bytes) != (blob.num_chunks, blob.size):
            raise BlobIncomplete(
                f"blob {blob_id} has {num_chunks} chunks with {num_bytes} bytes; "
                f"expected {blob.num_chunks} chunks with {blob.size} bytes"
            )
        if self._connection.execute(update(BlobRow).where(BlobRow.id == blob_id).values(state="ready")).rowcount == 0:
            raise NotFound("blob", blob_id)

    def stat(self, blob_id: str) -> BlobRecord:
        """What is known of a blob without its bytes.

        Raises:
            NotFound: there is no such blob.
        """
        row = self._connection.execute(select(BlobRow).where(BlobRow.id == blob_id)).mappings().one_or_none()
        if row is None:
            raise NotFound("blob", blob_id)
        return BlobRecord(**row)

    def require_ready(self, blob_id: str) -> BlobRecord:
        """The blob's record, if it is finished.

        Raises:
            BlobIncomplete: it is still staged.
            NotFound: there is no such blob.
        """
        blob = self.stat(blob_id)
        if blob.state != "ready":
            raise BlobIncomplete(f"blob {blob_id} is {blob.state!r}; expected 'ready'")
        return blob

    def read_chunk(self, blob_id: str, seq: int) -> bytes:
        """One chunk, checked.

        Raises:
            BlobCorrupt: the stored bytes do not match their checksum.
            NotFound: there is no such chunk.
        """
        query = select(BlobChunkRow.data, BlobChunkRow.crc32).where(BlobChunkRow.blob_id == blob_id, BlobChunkRow.seq == seq)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            raise NotFound("blob chunk", f"{blob_id}/{seq}")
        data = bytes(row.data)
        found = zlib.crc32(data)
        if found != row.crc32:
            raise BlobCorrupt(f"chunk {seq} of blob {blob_id} has crc32 {found:08x}; expected {row.crc32:08x}")
        return data

    def delete(self, blob_id: str) -> None:
        """Delete a blob and its chunks."""
        self._connection.execute(delete(BlobRow).where(BlobRow.id == blob_id))

    def collect_staged(self, *, older_than_seconds: float) -> int | None:
        """Delete a few chunks of a staged blob that nobody finished in this time, and the blob with its last chunks.

        At most COLLECTED_CHUNKS chunks, so that no transaction is long, however large the blob. Returns how many blobs are
        gone (0 or 1); None when there was nothing left to delete.
        """
        query = select(BlobRow.id).where(BlobRow.state == "staging", BlobRow.created_at < db_now(-older_than_seconds))
        # Blobs that somebody is finishing just now are locked, and are left alone.
        blob_id = self._connection.execute(query.limit(1).with_for_update(skip_locked=True)).scalar_one_or_none()
        if blob_id is None:
            return None
        chunks = select(BlobChunkRow.seq).where(BlobChunkRow.blob_id == blob_id).limit(COLLECTED_CHUNKS)
        seqs = list(self._connection.execute(chunks).scalars())
        if len(seqs) == COLLECTED_CHUNKS:
            self._connection.execute(delete(BlobChunkRow).where(BlobChunkRow.blob_id == blob_id, BlobChunkRow.seq.in_(seqs)))
            return 0
        self.delete(blob_id)
        return 1
