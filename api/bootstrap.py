"""The first API key of an installation, written to a file that only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path

from api.api_key_format import KEY_START, new_key, parse_key
from api.caller import Scope
from store.unit_of_work import Database, Work

OWNER = "default"
_NAME = "bootstrap"


def make_bootstrap_key(database: Database, file: Path) -> bool:
    """Write a key with every scope to `file` (mode 0600) when there is no key yet, or no file with a whole key in it.

    The file comes before the row is committed: a crash in between leaves a key that does not work and is replaced, because
    there is still no key; never a key that nobody has. A key that an earlier version made is given the scopes that have
    come since. Returns whether a key was made.

    Raises:
        OSError: the file cannot be read or written.
    """
    try:
        return _make_key(database, file)
    except OSError as error:
        raise OSError(
            f"EWC_BOOTSTRAP_KEY_FILE {file} cannot be used: {error.strerror}; name a file in a folder of its own"
        ) from error


def _make_key(database: Database, file: Path) -> bool:
    with database.write() as work:
        content = _content_of(file)
        if work.api_keys.count() > 0 and content is not None and not _is_part_of_a_key(content):
            _complete(work, content)
            return False
        made = new_key()
        work.api_keys.create(
            owner=OWNER, name=_NAME, scopes=[scope.value for scope in Scope], prefix=made.prefix, secret_sha256=made.secret_sha256
        )
        _write_private(file, made.text + "\n")
    return True


def _content_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None


def _is_part_of_a_key(content: str) -> bool:
    """What a crash or a full disk has left. Any other text that is no key is somebody else's, and stays."""
    return parse_key(content) is None and (content.startswith(KEY_START) or KEY_START.startswith(content))


def _complete(work: Work, content: str) -> None:
    key = parse_key(content)
    record = None if key is None else work.api_keys.find(key.prefix)
    if (
        key is None
        or record is None
        or record.secret_sha256 != key.secret_sha256
        or (record.owner, record.name) != (OWNER, _NAME)
    ):
        return  # a key of somebody else's choice, or of another database
    if record.revoked_at is None and set(record.scopes) < set(Scope):
        work.api_keys.set_scopes(record.id, [scope.value for scope in Scope])


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
