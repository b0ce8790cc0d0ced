"""Parts of stored files: checked, and read with few statements."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import event

from ewc_core.errors import BlobCorrupt
from store.blobs import CHUNK_SIZE, stage_blob
from tests.worker.test_stored_state import DAMAGE
from worker.stored_bytes import StoredBytes

SIZE = 2 * CHUNK_SIZE + 5


@pytest.fixture
def data() -> bytes:
    return random.Random(0).randbytes(SIZE)  # noqa: S311 - test data


def _staged(database, data: bytes) -> str:
    blob_id = stage_blob(database, data, fence=None, media_type="test")
    with database.write() as work:
        work.blobs.finish(blob_id)
    return blob_id


def test_parts_are_those_of_the_file_and_near_ones_are_one_statement(database, data):
    read, size = StoredBytes(database).open(_staged(database, data), check_whole=True)
    assert size == SIZE
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *seen: statements.append(seen[2]))
    for begin, end in [(0, 8), (8, 300), (300, 300), (CHUNK_SIZE - 2, CHUNK_SIZE + 2), (CHUNK_SIZE, 2 * CHUNK_SIZE)]:
        assert b"".join(read(begin, end)) == data[begin:end]
    assert sum("SELECT blob_chunks" in statement for statement in statements) == 2
    assert b"".join(read(SIZE - 3, SIZE + 9)) == data[SIZE - 3 :]


def test_damage_is_told_when_it_is_opened_whole_and_when_the_chunk_is_read(database):
    blob_id = _staged(database, b"x" * 100)
    with database.write() as work:
        DAMAGE["a byte of its tensors"](work, blob_id)
    stored = StoredBytes(database)
    with pytest.raises(BlobCorrupt):
        stored.open(blob_id, check_whole=True)
    read, _ = stored.open(blob_id, check_whole=False)
    with pytest.raises(BlobCorrupt):
        b"".join(read(0, 4))
