"""Blobs and their chunks.

A chunk is a blob's own, or shared: stored once for all blobs of one owner that have the same bytes there. Nothing counts how
many refer to a shared chunk; those to which nobody refers are collected. A reference is made in the transaction that found
or stored the chunk, under a lock that keeps the collection away.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence

from sqlalchemy import delete, func, insert, literal, select, union_all, update

from ewc_core.errors import BlobCorrupt, BlobIncomplete, NotFound, RecordError
from store.base import db_now
from store.ids import new_id
from store.records import BlobRecord
from store.repositories.repository import Repository
from store.tables import BlobChunkRow, BlobRow, ChunkUseRow, SharedChunkRow

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
        self._require_fitting(blob_id, seq, data)
        row = {"blob_id": blob_id, "seq": seq, "data": data, "crc32": zlib.crc32(data)}
        self._insert_or_replace(BlobChunkRow, [row], key=("blob_id", "seq"))

    def add_shared_chunk(self, blob_id: str, seq: int, data: bytes, *, owner: str) -> None:
        """As `add_chunk`, but bytes that some blob of `owner` has already are not stored again. One blob's chunks are all its
        own, or all shared.

        Raises:
            BlobIncomplete, RecordError: as `add_chunk`.
        """
        self._require_fitting(blob_id, seq, data)
        sha256 = hashlib.sha256(data).hexdigest()
        same = (SharedChunkRow.owner == owner, SharedChunkRow.sha256 == sha256)
        # Locked until the reference below is committed: the collection cannot delete it in between.
        found = select(SharedChunkRow.id).where(*same).with_for_update(read=True, key_share=True)
        while (chunk_id := self._connection.execute(found).scalar_one_or_none()) is None:
            row = {"id": new_id("chunk"), "owner": owner, "sha256": sha256, "size": len(data), "crc32": zlib.crc32(data)}
            self._insert_if_absent(SharedChunkRow, {**row, "data": data}, key=("owner", "sha256"))
        self._insert_or_replace(ChunkUseRow, [{"blob_id": blob_id, "seq": seq, "chunk_id": chunk_id}], key=("blob_id", "seq"))

    def finish(self, *blob_ids: str) -> None:
        """Make blobs ready: from now on they are read, and never collected.

        Raises:
            BlobIncomplete: chunks or bytes are missing.
            NotFound: there is no such blob (it was collected, for instance).
        """
        blobs = {row.id: row for row in self._connection.execute(select(BlobRow.__table__).where(BlobRow.id.in_(blob_ids)))}
        own = select(BlobChunkRow.blob_id, func.count(), func.sum(func.length(BlobChunkRow.data)))
        shared = select(ChunkUseRow.blob_id, func.count(), func.sum(SharedChunkRow.size)).join(SharedChunkRow)
        stored = union_all(
            own.where(BlobChunkRow.blob_id.in_(blob_ids)).group_by(BlobChunkRow.blob_id),
            shared.where(ChunkUseRow.blob_id.in_(blob_ids)).group_by(ChunkUseRow.blob_id),
        )
        found = {blob_id: (num_chunks, int(num_bytes)) for blob_id, num_chunks, num_bytes in self._connection.execute(stored)}
        for blob_id in blob_ids:
            if blob_id not in blobs:
                raise NotFound("blob", blob_id)
            blob, (num_chunks, num_bytes) = blobs[blob_id], found.get(blob_id, (0, 0))
            if (num_chunks, num_bytes) != (blob.num_chunks, blob.size):
                raise BlobIncomplete(
                    f"blob {blob_id} has {num_chunks} chunks with {num_bytes} bytes; "
                    f"expected {blob.num_chunks} chunks with {blob.size} bytes"
                )
        made_ready = update(BlobRow).where(BlobRow.id.in_(blob_ids)).values(state="ready")
        if self._connection.execute(made_ready).rowcount != len(blobs):
            raise NotFound("blob", ", ".join(blob_ids))

    def release(self, blob_ids: Sequence[str]) -> None:
        """Nobody refers to these blobs any more: staged again, they are read by nobody, and the collection takes them."""
        self._connection.execute(update(BlobRow).where(BlobRow.id.in_(blob_ids)).values(state="staging"))

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
            BlobCorrupt: its record is damaged.
            NotFound: there is no such blob.
        """
        blob = self.stat(blob_id)
        if blob.state != "ready":
            raise BlobIncomplete(f"blob {blob_id} is {blob.state!r}; expected 'ready'")
        if blob.size < 0 or blob.chunk_size < 1:
            raise BlobCorrupt(f"blob {blob_id} has {blob.size} bytes in chunks of {blob.chunk_size}")
        return blob

    def read_chunk(self, blob_id: str, seq: int) -> bytes:
        """One chunk, checked.

        Raises:
            BlobCorrupt: the stored bytes do not match their checksum.
            NotFound: there is no such chunk.
        """
        own = select(BlobChunkRow.data, BlobChunkRow.crc32).where(BlobChunkRow.blob_id == blob_id, BlobChunkRow.seq == seq)
        shared = select(SharedChunkRow.data, SharedChunkRow.crc32).join(ChunkUseRow, ChunkUseRow.chunk_id == SharedChunkRow.id)
        query = union_all(own, shared.where(ChunkUseRow.blob_id == blob_id, ChunkUseRow.seq == seq))
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

    def collect_unused_chunks(self) -> int:
        """Delete at most COLLECTED_CHUNKS shared chunks to which no blob refers; how many."""
        is_used = select(literal(1)).where(ChunkUseRow.chunk_id == SharedChunkRow.id).exists()
        # Chunks to which somebody is just referring are locked, and left alone; a lock taken here keeps others from doing so.
        unused = select(SharedChunkRow.id).where(~is_used).limit(COLLECTED_CHUNKS).with_for_update(skip_locked=True)
        ids = list(self._connection.execute(unused).scalars())
        # A reference may have been committed between the list and the lock: a statement of its own sees it.
        return self._connection.execute(delete(SharedChunkRow).where(SharedChunkRow.id.in_(ids), ~is_used)).rowcount

    def _require_fitting(self, blob_id: str, seq: int, data: bytes) -> None:
        blob = self.stat(blob_id)
        if blob.state != "staging":
            raise RecordError(f"blob {blob_id} is {blob.state!r} and takes no more chunks")
        expected = min(blob.chunk_size, blob.size - seq * blob.chunk_size)
        if not 0 <= seq < blob.num_chunks or len(data) != expected:
            raise BlobIncomplete(
                f"chunk {seq} of blob {blob_id} has {len(data)} bytes; expected {max(expected, 0)} "
                f"(the blob has {blob.num_chunks} chunks, {blob.size} bytes)"
            )
