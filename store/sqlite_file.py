"""The file of an SQLite database, as the file system shows it: whether it is still the same one, and whether it is whole."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from functools import cache, lru_cache
from pathlib import Path

from ewc_core.errors import StoreDamaged, StoreUnavailable

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""What SQLite reports, in the low byte of its error codes, of a file that is not as it was written."""


def identity(file: Path) -> tuple[int, int] | None:
    """Device and inode; None when there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def make_private(file: Path) -> None:
    """Make the file for its user alone, empty, if it is not there; SQLite gives its log the same mode. Others are left."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:  # it is there; or it cannot be made, which SQLite then tells
        return


def require_whole(file: Path, *, is_suspect: bool = False) -> None:
    """Check the file's header and length, which costs microseconds; only a file that seems cut, or is suspect because damage was
    met in it, is read through: once until it changes. Call it when the file has been opened.

    Raises:
        StoreDamaged: the file begins with something else than SQLite's header, or parts of it are missing.
        StoreUnavailable: it is not there any more, or stays locked.
    """
    found = identity(file)
    if found is None:
        raise StoreUnavailable("the database file is gone")
    header = os.pread(_open_for_ever(file, found), _HEADER_BYTES, 0)
    if not header:  # whoever has opened it has written a header
        raise StoreDamaged("the database file is empty: it was cut")
    if not header.startswith(_MAGIC):
        raise StoreDamaged("the database file does not begin as one of SQLite does: it was overwritten")
    page_size, num_pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    expected = (65536 if page_size == 1 else page_size) * num_pages
    # A file is shorter for a moment, too, while SQLite moves pages out of its log: it is read with SQLite's locks.
    if is_suspect or file.stat().st_size < expected:
        verdict = _verdict(file, _version(file))
        if verdict is not None:
            raise StoreDamaged(f"the database file is damaged: {verdict}")


@cache
def _open_for_ever(file: Path, _identity: tuple[int, int]) -> int:
    """A descriptor that is never closed: closing any one of a file takes away all of a process's locks on it, SQLite's too."""
    return os.open(file, os.O_RDONLY | os.O_CLOEXEC)


def _version(file: Path) -> tuple[int, ...]:
    found = file.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4)
def _verdict(file: Path, _of_version: tuple[int, ...]) -> str | None:
    """What is wrong with the file, which is read through: once for each version of it, however often it is asked for."""
    return _read_through(file)


def _read_through(file: Path) -> str | None:
    try:
        with closing(sqlite3.connect(file, timeout=30)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in DAMAGE_CODES:  # locked, for instance
            raise StoreUnavailable(f"the database file cannot be read: {error}") from error
        return str(error)
    return None if verdict == "ok" else str(verdict)
