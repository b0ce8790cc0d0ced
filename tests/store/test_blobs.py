"""Blobs: staging, readiness, checks, ranges."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise

import pytest
from sqlalchemy import update

from ewc_core.errors import BlobCorrupt, BlobIncomplete, NotFound, RecordError
from store.base import db_now
from store.blobs import CHUNK_SIZE, iter_range, read_blob, stage_blob
from store.tables import BlobChunkRow, BlobRow
from store.unit_of_work import Database

SIZE = 2 * CHUNK_SIZE + 5


@pytest.fixture(scope="module")
def data() -> bytes:
    """Two chunks and five bytes."""
    return random.Random(0).randbytes(SIZE)  # noqa: S311 - test data


@pytest.fixture
def blob_id(database: Database, data: bytes) -> str:
    """The same bytes, ready."""
    blob_id = stage_blob(database, data, fence=None, media_type="test")
    with database.write() as work:
        work.blobs.finish(blob_id)
    return blob_id


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_small_blobs_come_back_as_they_were(database, size):
    blob_id = stage_blob(database, b"x" * size, fence=None, media_type="text/plain")
    with database.write() as work:
        work.blobs.finish(blob_id)
        blob = work.blobs.stat(blob_id)
    assert (blob.size, blob.num_chunks, blob.media_type, blob.state) == (size, min(size, 1), "text/plain", "ready")
    assert read_blob(database, blob_id) == b"x" * size


def test_a_large_blob_is_cut_into_chunks_and_comes_back_whole(database, data, blob_id):
    with database.read() as work:
        blob = work.blobs.stat(blob_id)
        sizes = [len(work.blobs.read_chunk(blob_id, seq)) for seq in range(blob.num_chunks)]
    assert sizes == [CHUNK_SIZE, CHUNK_SIZE, 5]
    assert (blob.size, blob.chunk_size, blob.sha256) == (SIZE, CHUNK_SIZE, hashlib.sha256(data).hexdigest())
    assert read_blob(database, blob_id) == data


def test_ranges_within_and_across_chunks_are_the_bytes_of_the_file(database, data, blob_id):
    borders = [
        (0, 0),
        (0, 1),
        (0, CHUNK_SIZE),
        (CHUNK_SIZE - 1, CHUNK_SIZE),
        (CHUNK_SIZE, CHUNK_SIZE + 1),
        (CHUNK_SIZE - 1, CHUNK_SIZE + 1),
        (CHUNK_SIZE - 1, 2 * CHUNK_SIZE + 1),
        (2 * CHUNK_SIZE, SIZE),
        (SIZE - 1, SIZE),
        (SIZE, SIZE),
        (0, SIZE),
    ]
    for start, stop in borders:
        pieces = list(iter_range(database, blob_id, start, stop))
        assert b"".join(pieces) == data[start:stop], (start, stop)
        assert all(0 < len(piece) <= CHUNK_SIZE for piece in pieces)


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2), (0, SIZE + 1)])
def test_a_range_outside_the_file_is_refused_before_anything_is_read(database, blob_id, start, stop):
    with pytest.raises(ValueError, match=f"bytes {start} to {stop} do not lie within"):
        iter_range(database, blob_id, start, stop)


def test_a_staged_blob_is_not_read(database):
    blob_id = stage_blob(database, b"abc", fence=None, media_type="test")
    with pytest.raises(BlobIncomplete, match="'staging'"):
        read_blob(database, blob_id)
    with pytest.raises(BlobIncomplete, match="'staging'"):
        iter_range(database, blob_id, 0, 1)


def test_a_blob_that_is_not_there_is_not_found(database):
    with pytest.raises(NotFound, match="blob_none"):
        read_blob(database, "blob_none")


def test_a_blob_with_a_missing_chunk_cannot_be_finished(database, data):
    with database.write() as work:
        blob_id = work.blobs.create(size=SIZE, sha256="00", media_type="test")
        work.blobs.add_chunk(blob_id, 0, data[:CHUNK_SIZE])
        work.blobs.add_chunk(blob_id, 2, data[2 * CHUNK_SIZE :])
        with pytest.raises(BlobIncomplete, match=f"2 chunks with {CHUNK_SIZE + 5} bytes; expected 3 chunks with {SIZE} bytes"):
            work.blobs.finish(blob_id)


@pytest.mark.parametrize(("seq", "size"), [(0, CHUNK_SIZE - 1), (2, 4), (2, 6), (3, 1), (-1, CHUNK_SIZE)])
def test_a_chunk_of_the_wrong_size_or_number_is_refused(database, seq, size):
    with database.write() as work:
        blob_id = work.blobs.create(size=SIZE, sha256="00", media_type="test")
        with pytest.raises(BlobIncomplete, match=f"chunk {seq} of blob {blob_id} has {size} bytes"):
            work.blobs.add_chunk(blob_id, seq, b"x" * size)


def test_a_chunk_may_be_sent_again_until_the_blob_is_finished(database):
    with database.write() as work:
        blob_id = work.blobs.create(size=3, sha256=hashlib.sha256(b"new").hexdigest(), media_type="test")
        work.blobs.add_chunk(blob_id, 0, b"old")
        work.blobs.add_chunk(blob_id, 0, b"new")
        work.blobs.finish(blob_id)
        with pytest.raises(RecordError, match="takes no more chunks"):
            work.blobs.add_chunk(blob_id, 0, b"odd")
    assert read_blob(database, blob_id) == b"new"


def test_a_changed_byte_is_found_by_the_chunks_checksum(database, data, blob_id):
    broken = bytearray(data[CHUNK_SIZE : 2 * CHUNK_SIZE])
    broken[17] ^= 1
    with database.write() as work:
        work.connection.execute(update(BlobChunkRow).where(BlobChunkRow.seq == 1).values(data=bytes(broken)))
    with pytest.raises(BlobCorrupt, match=f"chunk 1 of blob {blob_id}"):
        read_blob(database, blob_id)
    assert b"".join(iter_range(database, blob_id, 0, CHUNK_SIZE)) == data[:CHUNK_SIZE]


def test_a_wrong_hash_of_the_whole_is_found(database, blob_id):
    with database.write() as work:
        work.connection.execute(update(BlobRow).values(sha256="00" * 32))
    with pytest.raises(BlobCorrupt, match="sha256"):
        read_blob(database, blob_id)


def test_only_old_staged_blobs_are_collected(database, blob_id):
    old = stage_blob(database, b"old", fence=None, media_type="test")
    with database.write() as work:
        work.connection.execute(update(BlobRow).values(created_at=db_now(-3700)))
    new = stage_blob(database, b"new", fence=None, media_type="test")
    with database.write() as work:
        assert work.blobs.collect_staged(older_than_seconds=3600) == 1
        assert work.blobs.stat(blob_id).state == "ready"
        assert work.blobs.stat(new).state == "staging"
        with pytest.raises(NotFound, match=old):
            work.blobs.stat(old)
        with pytest.raises(NotFound, match=old):
            work.blobs.finish(old)


def test_a_deleted_blob_leaves_no_chunks(database, blob_id):
    with database.write() as work:
        work.blobs.delete(blob_id)
        assert work.connection.exec_driver_sql("SELECT count(*) FROM blob_chunks").scalar_one() == 0


def test_a_blob_staged_in_parts_is_the_one_staged_whole(database, data, blob_id):
    borders = [0, 0, 7, CHUNK_SIZE - 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 1, SIZE]
    parts = [memoryview(data)[start:stop] for start, stop in pairwise(borders)]
    in_parts = stage_blob(database, parts, fence=None, media_type="test")
    with database.write() as work:
        work.blobs.finish(in_parts)
        whole, other = work.blobs.stat(blob_id), work.blobs.stat(in_parts)
        for seq in range(whole.num_chunks):
            assert work.blobs.read_chunk(in_parts, seq) == work.blobs.read_chunk(blob_id, seq)
    assert (other.size, other.num_chunks, other.sha256) == (whole.size, whole.num_chunks, whole.sha256)
