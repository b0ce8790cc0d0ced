"""The filesystem broker: a message is a file, delivered by a rename, received by another.

Kombu's own transport writes a message in the very folder that receivers read: a full disk, or a receiver that is quick
enough, leaves an empty one; and whatever it cannot read ends its consumer.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

from store.brokers.wake_up import NotAWakeUp, as_celery_takes_it, require_wake_up
from store.room import NotWritable, require_room

NUM_UNREADABLE = 20
_MAX_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


def folders_of(broker_dir: Path) -> dict[str, Path]:
    """The broker's folders by name: `messages` wait, `processed` were received, `unreadable` are the newest that were no
    wake-ups, and `outgoing` are being written. All lie on one file system, so that moving a file between them is atomic."""
    return {name: broker_dir / name for name in ("messages", "processed", "unreadable", "outgoing")}


def make(broker_dir: Path) -> None:
    """Make what is missing of the folders that are always there. State directory and broker are for their user alone; those
    that are there stay as they are."""
    with suppress(FileExistsError):  # what is no folder is told by its part that cannot be made
        broker_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    broker_dir.mkdir(mode=0o700, exist_ok=True)
    for name in ("messages", "processed"):
        folders_of(broker_dir)[name].mkdir(exist_ok=True)


class Channel(filesystem.Channel):
    """Kombu's channel with other ways to write and to read a message, and with queues that need no table of exchanges."""

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]  # kombu calls it so, too
        """Write the message elsewhere, whole, and then move it. It is not forced to the disk: a lost one costs time only."""
        folders = self._folders
        draft = folders["outgoing"] / f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        draft.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(dumps(payload), encoding="utf-8")
            draft.rename(folders["messages"] / draft.name)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        self._asked()
        waiting, processed = self._folders["messages"], self._folders["processed"]
        for folder in (waiting, processed):
            folder.mkdir(parents=True, exist_ok=True)  # somebody may have tidied up
        for name in sorted(os.listdir(waiting)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            received = processed / name
            try:
                os.rename(waiting / name, received)
            except OSError:
                continue  # another receiver has it
            try:
                require_wake_up(_read(received))
                return as_celery_takes_it()
            except (OSError, NotAWakeUp) as error:
                self._set_aside(received, error)
        raise Empty

    def _size(self, queue: str) -> int:
        return sum(entry.name.partition(".")[2] == f"{queue}.msg" for entry in _entries(self._folders["messages"]))

    def _set_aside(self, file: Path, why: Exception) -> None:
        """Keep it for whoever wants to know, as long as it is among the newest few."""
        _log.warning("message %s cannot be read and is set aside: %s", file.name, why)
        folder = self._folders["unreadable"]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.rename(file, folder / f"{time.time_ns()}_{file.name}")
        except OSError as error:
            _log.warning("message %s stays among those that were received: %s", file.name, error)
        for old in sorted(_entries(folder), key=lambda entry: entry.name)[:-NUM_UNREADABLE]:
            delete(old)

    @property
    def _folders(self) -> dict[str, Path]:
        return folders_of(Path(self.transport_options["broker_dir"]))

    @property
    def _asked(self) -> Callable[[], object]:
        asked: Callable[[], object] = self.transport_options.get("on_asked", lambda: None)
        return asked

    def _queue_bind(self, *_: Any) -> None:
        """There is nothing to bind: a message's queue is in its name. A table in a file could be half written."""

    def get_table(self, exchange: str) -> list[Any]:
        """No exchange has a table."""
        return []


class Transport(filesystem.Transport):
    """`filesystem://`, as Celery finds it."""

    Channel = Channel


def require_writable(broker_dir: Path) -> None:
    """Check that a message could be written and moved to those that wait, where somebody tidied up included.

    Raises:
        NotWritable: the disk is full or read-only, or something else stands in the place of a folder.
    """
    folders = folders_of(broker_dir)
    for name in ("outgoing", "messages", "processed"):
        try:
            folders[name].mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritable(f"the broker has no folder {folders[name]}: {error.strerror}") from error
        require_room(folders[name])


def collect(broker_dir: Path, *, older_than_seconds: float) -> int:
    """Delete what was received so long ago, and what died senders were still writing then; how much there was."""
    folders = folders_of(broker_dir)
    old = [
        entry
        for folder in (folders["processed"], folders["outgoing"])
        for entry in _entries(folder)
        if time.time() - _changed_at(entry) > older_than_seconds
    ]
    for entry in old:
        delete(entry)
    return len(old)


def delete(entry: Path) -> None:
    """Delete a file or a folder; one that cannot be deleted stays, and one that is gone is gone."""
    try:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s cannot be deleted: %s", entry.name, error)


def _read(file: Path) -> bytes:
    """The bytes of a plain file of a message's size; anything else (a pipe, a folder) might never come to an end."""
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
        raise NotAWakeUp(f"it is no plain file of at most {_MAX_BYTES} bytes")
    return file.read_bytes()


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except FileNotFoundError:
        return


def _changed_at(entry: Path) -> float:
    try:
        return entry.lstat().st_mtime
    except FileNotFoundError:
        return time.time()
