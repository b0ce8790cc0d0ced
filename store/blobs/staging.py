"""Writing a blob: chunks first, in transactions of their own; the short final one belongs to the caller."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager

from store.records import Fence
from store.repositories.blobs import CHUNK_SIZE
from store.unit_of_work import Database, Work


def stage_blob(
    database: Database, data: bytes | memoryview, *, fence: Fence | None, media_type: str, shared_by: str | None = None
) -> str:
    """Store `data` as a staged blob and return its id; `work.blobs.finish(id)` makes it visible.

    Each chunk is committed by itself, so that no transaction is long and a PostgreSQL or SQLite log stays small. With
    a `fence` every one of these transactions is fenced. With `shared_by`, an owner, chunks that some blob of that owner has
    already are not stored again. What is never finished is collected later.

    Raises:
        Fenced: the lease was lost on the way; the chunks stored so far stay staged.
    """

    def transaction() -> AbstractContextManager[Work]:
        return database.write() if fence is None else database.fenced(fence)

    view = memoryview(data).cast("B")
    with transaction() as work:
        blob_id = work.blobs.create(size=len(view), sha256=hashlib.sha256(view).hexdigest(), media_type=media_type)
    for seq, start in enumerate(range(0, len(view), CHUNK_SIZE)):
        with transaction() as work:
            chunk = bytes(view[start : start + CHUNK_SIZE])
            if shared_by is None:
                work.blobs.add_chunk(blob_id, seq, chunk)
            else:
                work.blobs.add_shared_chunk(blob_id, seq, chunk, owner=shared_by)
    return blob_id
