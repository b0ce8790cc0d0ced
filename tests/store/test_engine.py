"""Engines and transactions."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import literal, select, text

from ewc_core.errors import NotFound, RecordError, StoreUnavailable
from migrations import HEAD
from store.base import UtcTime, db_now
from store.unit_of_work import Database
from tests.store.conftest import OWNER, make_job, make_spec


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "no url", "postgresql+asyncpg://host/name"]
)
def test_a_url_that_cannot_serve_is_refused_at_once(url):
    with pytest.raises(StoreUnavailable, match="expected"):
        Database(url)


def test_a_refused_url_is_shown_without_its_password():
    with pytest.raises(StoreUnavailable) as refused:
        Database("mysql://user:hunter2@host/name")
    assert "hunter2" not in str(refused.value)


def test_sqlite_files_are_set_up_for_many_processes(sqlite_url):
    database = Database(sqlite_url)
    with database.read() as work:
        pragmas = {
            name: work.connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 30000}


def test_a_write_commits_on_a_clean_exit_and_rolls_back_on_an_exception(database):
    with database.write() as work:
        kept = work.jobs.create(make_spec(), owner=OWNER)
    with pytest.raises(NotFound), database.write() as work:  # noqa: PT012 - what came before the failure is the point
        work.jobs.create(make_spec(), owner=OWNER)
        work.jobs.get("job_none")
    with database.read() as work:
        assert [job.id for job in work.jobs.page(owner=OWNER, limit=10).items] == [kept.id]


def test_writers_on_sqlite_wait_for_each_other_even_when_they_read_first(sqlite_url):
    database = Database(sqlite_url)
    inside, order = threading.Event(), []

    def second() -> None:
        inside.wait()
        with database.write() as work:
            order.append(("second", work.jobs.counts_by_status()["queued"]))

    thread = threading.Thread(target=second)
    thread.start()
    with database.write() as work:
        inside.set()
        work.jobs.counts_by_status()
        work.jobs.create(make_spec(), owner=OWNER)
        order.append(("first", 1))
    thread.join()
    database.close()
    assert order == [("first", 1), ("second", 1)]


def test_the_databases_clock_is_utc_and_close_to_this_hosts(database):
    with database.read() as work:
        assert work.now.tzinfo is UTC
        assert abs(work.now - datetime.now(UTC)) < timedelta(seconds=30)


def test_an_offset_moves_the_databases_clock(database):
    with database.read() as work:
        later = work.connection.execute(select(db_now(90.5))).scalar_one()
        earlier = work.connection.execute(select(db_now(-90.5))).scalar_one()
    assert timedelta(seconds=180.5) < later - earlier < timedelta(seconds=185)


def test_times_compare_in_the_database_as_they_do_in_python(database):
    base = datetime(2026, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC)
    times = [base, base + timedelta(microseconds=1), base + timedelta(milliseconds=1), base + timedelta(days=300)]
    with database.read() as work:
        for one in times:
            for other in times:
                less = work.connection.execute(select(literal(one, UtcTime()) < literal(other, UtcTime()))).scalar_one()
                assert bool(less) == (one < other)


def test_on_sqlite_the_clock_writes_times_in_the_same_form_as_python_does(sqlite_url):
    database = Database(sqlite_url)
    with database.write() as work:
        job = work.jobs.create(make_spec(), owner=OWNER)
        work.queue.mark_woken([job.id])
        from_python, from_clock = work.connection.exec_driver_sql("SELECT created_at, woken_at FROM jobs").one()
    database.close()
    form = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"
    assert re.fullmatch(form, from_python)
    assert re.fullmatch(form, from_clock)


def test_a_naive_time_is_refused(database):
    with database.read() as work, pytest.raises(Exception, match="has no timezone"):
        work.connection.execute(select(literal(datetime(2026, 1, 1), UtcTime())))


def test_a_time_in_another_timezone_comes_back_as_utc(database):
    local = datetime(2026, 1, 1, 12, tzinfo=UTC).astimezone()
    with database.read() as work:
        back = work.connection.execute(select(literal(local, UtcTime()))).scalar_one()
    assert back == local
    assert back.tzinfo is UTC


def test_ping_and_revision_of_a_migrated_database(database):
    database.ping()
    assert database.schema_revision() == HEAD


def test_a_database_without_tables_has_no_revision_and_says_that_it_is_unusable(bare_database_url):
    database = Database(bare_database_url)
    assert database.schema_revision() is None
    with pytest.raises(StoreUnavailable, match="jobs"), database.read() as work:
        work.jobs.counts_by_status()
    database.close()


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/ewc.db", "postgresql+psycopg://127.0.0.1:1/none"])
def test_a_database_that_is_not_there_is_unavailable(url):
    database = Database(url)
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        database.ping()


def test_a_connection_that_reads_refuses_to_write(database):
    job = make_job(database)
    with database.read() as work, pytest.raises(RecordError, match="reads was given a statement that writes: UPDATE jobs"):
        work.jobs.close_stream(job.id)
    with database.read() as work:
        assert work.jobs.summary(job.id).stream == "open"
