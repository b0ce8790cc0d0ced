"""Reading a blob, whole or in part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from ewc_core.errors import BlobCorrupt, NotFound
from store.unit_of_work import Database


def read_blob(database: Database, blob_id: str) -> bytes:
    """All bytes of a finished blob.

    Raises:
        BlobCorrupt: a chunk's crc32 or the whole's sha256 does not match.
        BlobIncomplete: the blob is not finished.
        NotFound: there is no such blob.
    """
    with database.read() as work:
        blob = work.blobs.require_ready(blob_id)
    data = b"".join(iter_range(database, blob_id, 0, blob.size))
    found = hashlib.sha256(data).hexdigest()
    if found != blob.sha256:
        raise BlobCorrupt(f"blob {blob_id} has sha256 {found}; expected {blob.sha256}")
    return data


def iter_range(database: Database, blob_id: str, start: int, stop: int) -> Iterator[bytes]:
    """Bytes `start` to `stop` (exclusive) of a finished blob, a chunk or less at a time.

    One short read transaction per chunk: a slow consumer holds no transaction open, and no more than two chunks are
    in memory. Each chunk is checked against its crc32. The blob and the bounds are checked before this returns.

    Raises:
        BlobCorrupt: a chunk is missing, cut, or does not match its checksum (while iterating).
        BlobIncomplete: the blob is not finished.
        NotFound: there is no such blob.
        ValueError: the bounds do not lie within the blob.
    """
    with database.read() as work:
        blob = work.blobs.require_ready(blob_id)
    if not 0 <= start <= stop <= blob.size:
        raise ValueError(f"bytes {start} to {stop} do not lie within blob {blob_id} of {blob.size} bytes")
    return _chunks(database, blob_id, blob.chunk_size, start, stop)


def require_whole(database: Database, blob_id: str, start: int, stop: int) -> None:
    """Read bytes `start` to `stop` once, chunk by chunk, before anybody is promised them: chunks are checked against their
    crc32, and a whole blob against its sha256, too.

    Raises:
        BlobCorrupt: a checksum or a length does not match, or a chunk is missing.
        BlobIncomplete, NotFound, ValueError: as `iter_range`.
    """
    with database.read() as work:
        blob = work.blobs.require_ready(blob_id)
    digest = hashlib.sha256()
    for piece in iter_range(database, blob_id, start, stop):
        digest.update(piece)
    if (start, stop) == (0, blob.size) and digest.hexdigest() != blob.sha256:
        raise BlobCorrupt(f"blob {blob_id} has sha256 {digest.hexdigest()}; expected {blob.sha256}")


def _chunks(database: Database, blob_id: str, chunk_size: int, start: int, stop: int) -> Iterator[bytes]:
    position = start
    while position < stop:
        seq = position // chunk_size
        try:
            with database.read() as work:
                chunk = work.blobs.read_chunk(blob_id, seq)
        except NotFound as error:
            raise BlobCorrupt(f"blob {blob_id} lacks chunk {seq}") from error
        begins_at = seq * chunk_size
        piece = chunk[position - begins_at : stop - begins_at]
        if len(piece) != min(stop, begins_at + chunk_size) - position:
            raise BlobCorrupt(f"chunk {seq} of blob {blob_id} has {len(chunk)} bytes; more are missing")
        yield piece
        position = begins_at + chunk_size
