"""Engines: one database connection pool per process, set up the same way everywhere."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Executable, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from ewc_core.errors import RecordError, RowDamaged, StoreUnavailable
from store.sqlite_file import identity, make_private

BEGIN_OPTION = "sqlite_begin"
"""Execution option of a connection: the statement that starts its transactions on SQLite."""
READ_ONLY_OPTION = "read_only"
"""Execution option of a connection: statements that write are refused."""

_SQLITE_PRAGMAS = (
    # The timeout first: switching to WAL may itself have to wait for another process.
    "PRAGMA busy_timeout=30000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
)
# A holder that is stopped in the middle of a transaction must not keep its row locks for ever.
_POSTGRESQL_OPTIONS = "-c timezone=utc -c statement_timeout=60s -c lock_timeout=30s -c idle_in_transaction_session_timeout=30s"


def make_engine(url: str) -> Engine:
    """Engine for `sqlite:///path` or `postgresql+psycopg://...` (plain `postgresql://` means the same).

    SQLite: WAL, synchronous NORMAL, foreign keys, 30 s busy timeout; the driver's own transaction handling is off
    and each transaction starts with the statement in the connection's option `BEGIN_OPTION` (default `BEGIN`).
    PostgreSQL: psycopg 3, connections tested before use, timeouts on statements, locks and idle transactions.

    Raises:
        StoreUnavailable: the URL is malformed, of another kind, or an in-memory SQLite database (which no second
            process could see).
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(parsed)
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=40,
        connect_args={"options": _POSTGRESQL_OPTIONS, "connect_timeout": 10},
    )
    event.listen(engine, "before_execute", _refuse_writes_of_readers)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreUnavailable("database_url is not a URL; expected sqlite:///path or postgresql+psycopg://host/name") from error
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"):
        raise StoreUnavailable(
            f"database_url {parsed.render_as_string(hide_password=True)!r} is of an unknown kind; "
            "expected sqlite:///path or postgresql+psycopg://host/name"
        )
    if parsed.get_backend_name() == "sqlite" and (not parsed.database or parsed.database == ":memory:" or "mode=memory" in url):
        raise StoreUnavailable(f"database_url {url!r} is a database in memory; expected a file that several processes can share")
    return parsed


def _sqlite_engine(url: URL) -> Engine:
    file = Path(str(url.database))

    def set_up(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in _SQLITE_PRAGMAS:
            connection.execute(pragma).close()
        record.info["file"] = identity(file)

    def require_same_file(_connection: sqlite3.Connection, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if record.info["file"] != identity(file):  # else it would go on with a file that has no name any more
            raise DisconnectionError("the database file was deleted or replaced")

    engine = create_engine(
        url,
        pool_size=10,
        max_overflow=40,
        connect_args={"check_same_thread": False, "timeout": 30},
        json_deserializer=_stored_json,
    )
    event.listen(engine, "do_connect", lambda *_: make_private(file))
    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkout", require_same_file)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "before_execute", _refuse_writes_of_readers)
    return engine


def _stored_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RowDamaged("a stored value is no JSON") from error


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(BEGIN_OPTION, "BEGIN"))


def _refuse_writes_of_readers(connection: Connection, statement: Executable, *_: Any) -> None:
    if statement.is_dml and connection.get_execution_options().get(READ_ONLY_OPTION):
        raise RecordError(f"a connection that reads was given a statement that writes: {statement}")
