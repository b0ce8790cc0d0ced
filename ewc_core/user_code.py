"""Calls into code that users brought (plug-ins, environments): what goes wrong in there is told as theirs."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from types import FrameType, TracebackType

from ewc_core.errors import UserCodeFailed

_OURS = frozenset({"ewc_core", "worker", "store"})
_LIBRARIES = frozenset({"torch", "numpy", "gymnasium"}) | sys.stdlib_module_names
_MAX_CHARACTERS = 500
_QUOTED_PATH = re.compile(r"(['\"])(?:[A-Za-z]:)?[/\\][^'\"]*[/\\]([^/\\'\"]+)\1")
_PATH = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\"()<>,;:]+)+[/\\]([^\s/\\'\"()<>,;:]+)")


@contextmanager
def users_code(what: str, *, failed: type[UserCodeFailed], field: str = "") -> Iterator[None]:
    """Whatever is raised inside the block is raised as `failed`: "`what` raised KeyError: 'width' (mine.py, line 12)".

    Nothing but the call into users' code belongs into the block. SystemExit and a cancellation are errors as any other: a
    plug-in must not end a job. KeyboardInterrupt passes: somebody wants to stop.
    """
    try:
        yield
    except (UserCodeFailed, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise failed(f"{what} {told(error)}", field=field) from error


def told(error: BaseException) -> str:
    """ "raised ValueError: its text (mine.py, line 12)": on one line, without folders and without frames of ours."""
    place = _users_place(error)
    return f"raised {type(error).__name__}: {shown(_text(error))}" + (f" ({place})" if place else "")


def shown(text: str) -> str:
    """`text` as a message can hold it: one line of printable characters, not too long, with file names for paths."""
    line = _PATH.sub(r"\1", _QUOTED_PATH.sub(r"\1\2\1", " ".join(text.split())))
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
    return printable if len(printable) <= _MAX_CHARACTERS else f"{printable[:_MAX_CHARACTERS]}…"


def passed_users_code(trace: TracebackType | None) -> bool:
    """Whether a frame of the traceback is neither ours nor of a library that we call."""
    return bool(_users_frames(trace))


def is_raised_by(package: str, error: BaseException) -> bool:
    """Whether the innermost frame of the error is of `package`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and _package(frames[-1]) == package


def _users_place(error: BaseException) -> str:
    """The last line in the package that we called into, by the file's name."""
    frames = _users_frames(error.__traceback__)
    if not frames:
        return ""
    file, line, _ = [frame for frame in frames if frame[2] == frames[0][2]][-1]
    return f"{PurePath(file).name}, line {line}"


def _users_frames(trace: TracebackType | None) -> list[tuple[str, int, str]]:
    """File, line and top-level package of each frame of users' code, outermost first."""
    found = []
    for frame, line in traceback.walk_tb(trace):
        package = _package(frame)
        if package not in _OURS and package not in _LIBRARIES:
            found.append((frame.f_code.co_filename, line, package))
    return found


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (a user's __str__)
        return "(its text cannot be had)"
