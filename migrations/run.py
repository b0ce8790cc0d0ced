"""Moving a database from revision to revision, by one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DatabaseError

from ewc_core.errors import StoreDamaged, StoreUnavailable
from store.driver_errors import driver_errors_translated
from store.engine import BEGIN_OPTION, make_engine

_ADVISORY_LOCK = 0x455743_4D4947  # "EWCMIG": any number will do that nothing else uses


def upgrade(url: str, revision: str = "head") -> str | None:
    """Bring the database to `revision`; a SQLite file and its folder are made when missing.

    Any number of processes may call this at once: one works, the others wait and find nothing to do. Everything
    happens in one transaction.

    Raises:
        StoreUnavailable: the database cannot be reached, is none, or was made by a newer version.
    """
    with _locked_connection(url) as connection:
        command.upgrade(alembic_config(connection), revision)
        return _revision(connection)


def downgrade(url: str, revision: str = "base") -> str | None:
    """Take the database back to `revision`; the data of what is removed is lost."""
    with _locked_connection(url) as connection:
        command.downgrade(alembic_config(connection), revision)
        return _revision(connection)


def current(url: str) -> str | None:
    """The revision that the database is at, or None."""
    with _locked_connection(url) as connection:
        return _revision(connection)


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for this package; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _locked_connection(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    try:
        with driver_errors_translated(), _file_lock(engine), engine.connect() as connection:
            connection = connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
            with connection.begin():
                _advisory_lock(connection)
                yield connection
    except StoreDamaged as error:
        raise StoreDamaged(f"{_name(engine)}: {error}; restore it from a backup") from error
    except StoreUnavailable as error:
        raise type(error)(f"{_name(engine)}: {error}") from error
    except DatabaseError as error:
        raise StoreUnavailable(f"{_name(engine)} cannot be used: {error.orig}") from error
    except OSError as error:
        raise StoreUnavailable(f"{_name(engine)} cannot be used: {error.strerror} ({error.filename})") from error
    except CommandError as error:
        raise StoreUnavailable(f"{_name(engine)} was left alone: {error}; was it made by a newer version than this?") from error
    finally:
        engine.dispose()


@contextmanager
def _file_lock(engine: Engine) -> Iterator[None]:
    """On SQLite: a lock beside the file, because making the file and setting it up is not covered by a transaction."""
    if engine.dialect.name != "sqlite":
        yield
        return
    file = Path(str(engine.url.database)).absolute()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(file.with_name(file.name + ".migrating"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _name(engine: Engine) -> str:
    return f"the database {engine.url.render_as_string(hide_password=True)}"


def _advisory_lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Waiting for another migration, and migrating a large table, may both take long.
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
