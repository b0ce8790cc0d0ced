"""From the errors of the two drivers to those of the tree: damage is told from a database that is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

from ewc_core.errors import RowDamaged, StoreDamaged, StoreUnavailable
from store.room import NotWritable
from store.sqlite_file import DAMAGE_CODES

_UNDEFINED_TABLE = "42P01"
_POSTGRESQL_DAMAGE = ("XX001", "XX002")  # data_corrupted, index_corrupted


@contextmanager
def driver_errors_translated() -> Iterator[None]:
    """Around what reads or writes.

    Raises:
        RowDamaged: one value is no text, or no JSON.
        StoreDamaged: a page, an index or the whole file is not as it was written.
        NotWritable: an SQLite file takes no writes.
        StoreUnavailable: the database cannot be reached, is full, or is not migrated.
    """
    try:
        yield
    except DBAPIError as error:
        if "Could not decode to UTF-8" in str(error.orig):  # SQLite's driver has no code for it
            raise RowDamaged("a stored value is no text") from error
        if "malformed JSON" in str(error.orig):  # nor for a document that its own functions cannot read
            raise RowDamaged("a stored value is no JSON") from error
        if _is_damage(error):
            raise StoreDamaged(f"the database is damaged: {_reason(error)}") from error
        if getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
            raise NotWritable(f"the database cannot be written: {_reason(error)}") from error
        if isinstance(error, OperationalError | InterfaceError | InternalError):
            raise StoreUnavailable(f"the database cannot be used: {_reason(error)}") from error
        if getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE:
            raise StoreUnavailable(f"the database is not migrated: {_reason(error)}") from error
        raise


def _is_damage(error: DBAPIError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    is_of_sqlite = code is not None and code & 0xFF in DAMAGE_CODES  # the rest of the code says which page or file
    return is_of_sqlite or getattr(error.orig, "sqlstate", None) in _POSTGRESQL_DAMAGE


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
