"""Whether a disk takes what is written: a full or read-only one lets everything be read, and looks well."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from ewc_core.errors import StoreUnavailable

ROOM_BYTES = 64 * 1024
"""What has to fit at least: a transaction's pages, or a message."""

# The rows do not fit in the least memory that a statement can have: they go to the database's disk, and nothing stays there.
_SPILL = text("SELECT count(*) FROM generate_series(1, 8192)")
_LEAST_MEMORY = text("SET LOCAL work_mem = '64kB'")
_FULL = "53100"


class NotWritable(StoreUnavailable):
    """It can be reached, and takes nothing that is written."""


def require_room(folder: Path) -> None:
    """Write a few pages into a file that has no name, so nothing of it can stay.

    Raises:
        NotWritable: the disk is full or read-only, or the folder is none.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM_BYTES))
    except OSError as error:
        raise NotWritable(f"nothing can be written in {folder}: {error.strerror}") from error


def require_room_on_server(connection: Connection) -> None:
    """The same for the disk of a PostgreSQL server. Call it in a transaction, which is to be rolled back.

    Raises:
        NotWritable: the server takes no writes (a standby, for instance), or its disk is full.
    """
    if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
        raise NotWritable("the database is read-only")
    try:
        connection.execute(_LEAST_MEMORY)
        connection.execute(_SPILL)
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _FULL:
            raise
        raise NotWritable(f"nothing can be written on the disk of the database: {str(error.orig).splitlines()[0]}") from error
