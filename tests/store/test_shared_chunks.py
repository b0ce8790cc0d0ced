"""Chunks that blobs of one owner share: stored once, kept as long as some blob uses them, collected safely."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import update

from ewc_core.errors import BlobIncomplete, Fenced
from store.base import db_now
from store.blobs import CHUNK_SIZE, iter_range, read_blob, stage_blob
from store.repositories.blobs import COLLECTED_CHUNKS
from store.tables import BlobRow
from store.unit_of_work import Database

FIRST, SECOND, LAST = b"a" * CHUNK_SIZE, b"b" * CHUNK_SIZE, b"end"


def stage(database: Database, data: bytes, *, owner: str = "alice", is_finished: bool = True) -> str:
    blob_id = stage_blob(database, data, fence=None, media_type="test", shared_by=owner)
    if is_finished:
        with database.write() as work:
            work.blobs.finish(blob_id)
    return blob_id


def num_chunks(database: Database) -> int:
    with database.read() as work:
        return work.connection.exec_driver_sql("SELECT count(*) FROM shared_chunks").scalar_one()


def collect(database: Database) -> tuple[int, int]:
    """Collect everything that is old enough; how many blobs and chunks went."""
    blobs = chunks = 0
    with database.write() as work:
        work.connection.execute(update(BlobRow).values(created_at=db_now(-3700)))
    with database.write() as work:
        while (num := work.blobs.collect_staged(older_than_seconds=3600)) is not None:
            blobs += num
    with database.write() as work:
        while num := work.blobs.collect_unused_chunks():
            chunks += num
    return blobs, chunks


def test_equal_chunks_of_one_owner_are_stored_once_and_every_blob_reads_as_it_was(database):
    contents = [FIRST + SECOND + LAST, FIRST + LAST, SECOND + FIRST, FIRST + SECOND + LAST, b""]
    blobs = [stage(database, content) for content in contents]
    assert num_chunks(database) == 3
    assert [read_blob(database, blob) for blob in blobs] == contents
    assert b"".join(iter_range(database, blobs[0], CHUNK_SIZE - 1, 2 * CHUNK_SIZE + 2)) == b"a" + SECOND + b"en"


def test_owners_share_nothing(database):
    stage(database, LAST)
    stage(database, LAST, owner="bob")
    assert num_chunks(database) == 2


def test_a_released_blob_is_collected_and_leaves_the_chunks_that_others_use(database):
    kept, released = stage(database, FIRST + LAST), stage(database, FIRST + SECOND)
    with database.write() as work:
        work.blobs.release([released])
    with pytest.raises(BlobIncomplete, match="'staging'"):
        read_blob(database, released)
    assert collect(database) == (1, 1)
    assert read_blob(database, kept) == FIRST + LAST
    assert collect(database) == (0, 0)


def test_what_was_staged_and_never_finished_is_collected_with_its_chunks(database):
    stage(database, FIRST + LAST, is_finished=False)
    assert num_chunks(database) == 2
    assert collect(database) == (1, 2)
    assert num_chunks(database) == 0


def test_one_transaction_collects_few_chunks(database):
    for number in range(COLLECTED_CHUNKS + 3):
        stage(database, b"%d" % number, is_finished=False)
    with database.write() as work:
        work.connection.exec_driver_sql("DELETE FROM blobs")
        assert work.blobs.collect_unused_chunks() == COLLECTED_CHUNKS
        assert work.blobs.collect_unused_chunks() == 3


def test_a_stale_holder_shares_nothing(database, held):
    with database.write() as work:
        work.leases.release(held.fence)
    with pytest.raises(Fenced):
        stage_blob(database, LAST, fence=held.fence, media_type="test", shared_by="alice")
    assert num_chunks(database) == 0


def test_a_chunk_that_somebody_is_about_to_use_is_not_collected(postgresql_url):
    """An unused chunk, a writer that has found it and not yet committed, and the collection beside it."""
    database = Database(postgresql_url)
    stage(database, LAST, is_finished=False)
    with database.write() as work:
        work.connection.exec_driver_sql("DELETE FROM blobs")
    with database.write() as work:
        blob_id = work.blobs.create(size=len(LAST), sha256="00", media_type="test")
    with database.write() as writer:
        writer.blobs.add_shared_chunk(blob_id, 0, LAST, owner="alice")
        with database.write() as collector:
            assert collector.blobs.collect_unused_chunks() == 0
    assert num_chunks(database) == 1
    database.close()


def test_a_writer_that_meets_the_collection_of_its_chunk_stores_it_anew(postgresql_url):
    database = Database(postgresql_url)
    stage(database, LAST, is_finished=False)
    with database.write() as work:
        work.connection.exec_driver_sql("DELETE FROM blobs")
    staged: list[str] = []
    writer = threading.Thread(target=lambda: staged.append(stage(database, LAST)))
    with database.write() as collector:
        assert collector.blobs.collect_unused_chunks() == 1
        writer.start()
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while collector.connection.exec_driver_sql(query).scalar_one() == 0:
            collector.connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
    writer.join()
    assert read_blob(database, staged[0]) == LAST
    database.close()
