"""A disk that takes nothing is told from one that is away."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event

from ewc_core.errors import StoreUnavailable
from store.queue import WakeUps
from store.room import ROOM_BYTES, NotWritable, require_room
from store.unit_of_work import Database


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """The system refuses to let this process write longer files, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_folder_without_room_is_not_writable_and_nothing_stays_in_it(tmp_path: Path) -> None:
    require_room(tmp_path)
    with files_of_at_most(ROOM_BYTES - 1), pytest.raises(NotWritable, match="File too large"):
        require_room(tmp_path)
    with pytest.raises(NotWritable, match="No such file"):
        require_room(tmp_path / "gone")
    assert list(tmp_path.iterdir()) == []


def test_a_database_takes_what_is_written(database: Database) -> None:
    database.require_writable()


def test_an_sqlite_file_on_a_full_disk_is_not_writable(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with files_of_at_most(ROOM_BYTES - 1), pytest.raises(NotWritable):
        database.require_writable()
    database.require_writable()
    database.close()


def database_with(url: str, setting: str) -> Database:
    """A database whose connections have another setting than the server's."""
    database = Database(url)

    def set_it(connection: psycopg.Connection, _record: object) -> None:
        connection.execute(f"SET {setting}")
        connection.commit()

    event.listen(database.engine, "connect", set_it)
    return database


def test_a_server_that_takes_no_writes_is_not_writable(postgresql_url: str) -> None:
    database = database_with(postgresql_url, "default_transaction_read_only = on")
    with pytest.raises(NotWritable, match="read-only"):
        database.require_writable()
    database.close()


def test_what_a_server_is_asked_to_write_goes_to_its_disk(postgresql_url: str) -> None:
    database = database_with(postgresql_url, "temp_file_limit = 0")
    with pytest.raises(StoreUnavailable, match="temp_file_limit"):
        database.require_writable()
    database.close()


@pytest.mark.parametrize("name", ["messages", "outgoing", "processed"])
def test_a_broker_with_a_file_in_the_place_of_a_folder_is_not_writable(broker_dir: Path, name: str) -> None:
    wake_ups = WakeUps("filesystem://", broker_dir)
    wake_ups.ping()
    (broker_dir / name).rmdir()
    wake_ups.ping()
    (broker_dir / name).rmdir()
    (broker_dir / name).write_text("")
    with pytest.raises(NotWritable, match=name):
        wake_ups.ping()
    wake_ups.close()
