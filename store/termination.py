"""SIGTERM ends a process of the service, however it was started."""

from __future__ import annotations

import signal


def heed_sigterm() -> None:
    """Undo what a parent may have left behind: SIGTERM neither ignored nor blocked, here and in children started later.

    SIGHUP stays as it is: who starts a process with nohup means it.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
