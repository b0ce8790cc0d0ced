"""A database that is not as it was written is told from one that is away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from ewc_core.errors import RowDamaged, StoreDamaged, StoreUnavailable
from store import sqlite_file
from store.queue import WakeUps
from store.reaper import reap
from store.settings import StoreSettings
from store.unit_of_work import Database
from tests.store.conftest import claim, execute, expire_lease, make_job


@pytest.fixture
def file(sqlite_url) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///"))


@pytest.fixture
def opened(sqlite_url):
    """A database whose connections have been used, with some pages of content."""
    database = Database(sqlite_url)
    for _ in range(5):
        make_job(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    yield database
    database.close()


def test_a_whole_file_is_pinged_without_reading_it_through(opened, monkeypatch):
    monkeypatch.setattr("store.sqlite_file._read_through", lambda _: pytest.fail("read through"))
    opened.ping()


def test_a_file_that_is_cut_in_half_is_damaged(opened, file):
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(StoreDamaged):
        opened.ping()


def test_a_file_that_is_cut_to_nothing_is_damaged(opened, file):
    os.truncate(file, 0)
    with pytest.raises(StoreDamaged, match="empty"):
        opened.ping()


def test_a_file_that_is_overwritten_is_damaged(opened, file):
    file.write_bytes(b"garbage " * 100_000)
    with pytest.raises(StoreDamaged, match="overwritten"):
        opened.ping()
    opened.close()  # pages that were kept in memory hide what happened
    with pytest.raises(StoreDamaged), opened.read() as work:
        work.jobs.counts_by_status()


def test_a_file_that_is_deleted_is_not_written_to_any_more_and_a_restored_one_is_used_at_once(opened, file, tmp_path):
    backup = shutil.copy(file, tmp_path / "backup")
    with opened.read() as work:
        before = work.jobs.counts_by_status()["queued"]
    file.unlink()
    with pytest.raises(StoreUnavailable), opened.read() as work:
        work.jobs.counts_by_status()
    for leftover in file.parent.glob("ewc.db*"):
        leftover.unlink()
    shutil.copy(backup, file)
    with opened.read() as work:
        assert work.jobs.counts_by_status()["queued"] == before


def test_a_job_with_a_spec_that_is_no_json_is_settled_like_the_others(sqlite_url, tmp_path):
    database = Database(sqlite_url)
    broken, whole = make_job(database).id, make_job(database).id
    for job_id in (broken, whole):
        claim(database, job_id)
        expire_lease(database, job_id)
    for value in (b'{"kind": "\xff', b'{"kind": "superv'):
        execute(database, "UPDATE jobs SET spec = CAST(:spec AS TEXT) WHERE id = :id", spec=value, id=broken)
        with pytest.raises(RowDamaged, match="no JSON"), database.read() as work:
            work.jobs.get(broken)
    wake_ups = WakeUps("filesystem://", tmp_path / "broker")
    assert set(reap(database, wake_ups, settings=StoreSettings()).requeued) == {broken, whole}
    wake_ups.close()
    database.close()


def test_data_that_postgresql_finds_corrupted_is_damage(postgresql_url):
    database = Database(postgresql_url)
    raise_it = "DO $$ BEGIN RAISE EXCEPTION 'invalid page in block 0' USING ERRCODE = 'XX001'; END $$"
    with pytest.raises(StoreDamaged, match="invalid page"), database.read() as work:
        work.connection.execute(text(raise_it))
    database.close()


@pytest.mark.parametrize("change", ["created_at = 'zzz'", "updated_at = 12", "status = 'runninh'"])
def test_a_row_with_a_time_or_a_status_that_is_none_is_named_and_the_others_are_settled(sqlite_url, tmp_path, change):
    database = Database(sqlite_url)
    broken, whole = make_job(database).id, make_job(database).id
    for job_id in (broken, whole):
        claim(database, job_id)
        expire_lease(database, job_id)
    with database.write() as work:
        work.connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        work.connection.execute(text(f"UPDATE jobs SET {change} WHERE id = :id"), {"id": broken})
    with pytest.raises(RowDamaged) as found, database.read() as work:
        work.jobs.get(broken)
    assert not [stored for stored in ("zzz", "12", "runninh") if stored in str(found.value).replace(broken, "")]
    wake_ups = WakeUps("filesystem://", tmp_path / "broker")
    requeued = reap(database, wake_ups, settings=StoreSettings()).requeued
    assert set(requeued) == ({whole} if "status" in change else {broken, whole})
    wake_ups.close()
    database.close()


def test_a_file_in_which_damage_was_met_is_damaged_until_it_is_restored_and_read_once(opened, file, tmp_path, monkeypatch):
    whole = file.read_bytes()
    with opened.engine.connect() as connection:
        root = connection.exec_driver_sql("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").scalar_one()
    opened.close()
    with file.open("r+b") as pages:
        pages.seek((root - 1) * 4096)
        pages.write(bytes(4096))
    opened.ping()
    reads = []
    read_through = sqlite_file._read_through
    monkeypatch.setattr(sqlite_file, "_read_through", lambda file: reads.append(file) or read_through(file))
    with pytest.raises(StoreDamaged), opened.read() as work:
        work.jobs.page(owner="alice", limit=5)
    for _ in range(3):
        with pytest.raises(StoreDamaged):
            opened.ping()
    assert len(reads) == 1
    (tmp_path / "restored").write_bytes(whole)
    (tmp_path / "restored").replace(file)
    opened.ping()
    assert len(reads) == 2
