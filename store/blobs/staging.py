"""Writing a blob: chunks first, in transactions of their own; the short final one belongs to the caller."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from store.records import Fence
from store.repositories.blobs import CHUNK_SIZE
from store.unit_of_work import Database, Work


def stage_blob(
    database: Database,
    data: bytes | memoryview | Sequence[memoryview],
    *,
    fence: Fence | None,
    media_type: str,
    shared_by: str | None = None,
) -> str:
    """Store `data`, whole or in parts that follow one another, as a staged blob and return its id; `work.blobs.finish(id)` makes
    it visible. Parts are read twice and never copied whole: what they show must not change meanwhile.

    Each chunk is committed by itself, so that no transaction is long and a PostgreSQL or SQLite log stays small. With
    a `fence` every one of these transactions is fenced. With `shared_by`, an owner, chunks that some blob of that owner has
    already are not stored again. What is never finished is collected later.

    Raises:
        Fenced: the lease was lost on the way; the chunks stored so far stay staged.
    """

    def transaction() -> AbstractContextManager[Work]:
        return database.write() if fence is None else database.fenced(fence)

    parts = [memoryview(data).cast("B")] if isinstance(data, bytes | memoryview) else data
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    with transaction() as work:
        blob_id = work.blobs.create(size=sum(map(len, parts)), sha256=digest.hexdigest(), media_type=media_type)
    for seq, chunk in enumerate(_chunks(parts)):
        with transaction() as work:
            if shared_by is None:
                work.blobs.add_chunk(blob_id, seq, chunk)
            else:
                work.blobs.add_shared_chunk(blob_id, seq, chunk, owner=shared_by)
    return blob_id


def _chunks(parts: Sequence[memoryview]) -> Iterator[bytes]:
    """All bytes, `CHUNK_SIZE` at a time; the last chunk may be shorter."""
    pending: list[memoryview] = []
    room = CHUNK_SIZE
    for part in parts:
        start = 0
        while start < len(part):
            piece = part[start : start + room]
            pending.append(piece)
            start += len(piece)
            room -= len(piece)
            if room == 0:
                yield b"".join(pending)
                pending, room = [], CHUNK_SIZE
    if pending:
        yield b"".join(pending)
