"""The first API key of an installation, written to a file that only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path

from api.api_key_format import new_key, parse_key
from api.security import Scope
from store.unit_of_work import Database

OWNER = "default"
_NAME = "bootstrap"


def make_bootstrap_key(database: Database, file: Path) -> bool:
    """Write a key with every scope to `file` (mode 0600) when there is no key yet, or no file with a whole key in it.

    The file comes before the row is committed: a crash in between leaves a key that does not work and is replaced, because
    there is still no key; never a key that nobody has. Returns whether a key was made.
    """
    with database.write() as work:
        if work.api_keys.count() > 0 and _holds_a_key(file):
            return False
        made = new_key()
        work.api_keys.create(
            owner=OWNER, name=_NAME, scopes=[scope.value for scope in Scope], prefix=made.prefix, secret_sha256=made.secret_sha256
        )
        _write_private(file, made.text + "\n")
    return True


def _holds_a_key(file: Path) -> bool:
    """Keys carry a checksum, so that one of which a crash or a full disk has left only a part is told from a whole one."""
    try:
        return parse_key(file.read_text(encoding="utf-8").strip()) is not None
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def _write_private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())  # the key is shown nowhere else
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
