"""Tying a child process to its parent, so that `kill -9` of one leaves no process behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

from worker.exit_codes import ORPHANED

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere, do nothing.

    Raises:
        OSError: the kernel refused.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


def exit_when_pipe_closes(fd: int, leave: Callable[[int], object] = os._exit) -> threading.Thread:
    """Watch a pipe whose other end only the parent holds; when it closes, leave at once with `ORPHANED`."""

    def watch() -> None:
        while os.read(fd, 1):
            pass
        leave(ORPHANED)

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    thread.start()
    return thread
