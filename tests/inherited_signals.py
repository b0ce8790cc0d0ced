"""What tests inherit from whoever starts them must not reach the processes that they start."""

from __future__ import annotations

import signal

_PUT_BACK_BY_SUBPROCESS = {signal.SIGPIPE, signal.SIGXFSZ}


def keep_ignored_signals_from_children() -> None:
    """Signals that this process was started to ignore (nohup, the background of a script) stay without effect on it, but the
    programs that it starts have the usual ones: a handler, other than `SIG_IGN`, does not outlive exec. Nothing stays blocked.
    """
    for number in signal.valid_signals() - _PUT_BACK_BY_SUBPROCESS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def as_nohup_does() -> None:
    """For `preexec_fn`: start a program as badly as a script with nohup under a careless parent can."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
