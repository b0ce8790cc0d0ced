"""A small process that outlives its parent by as long as it takes to stop the parent's children.

Run as a script: `python -I keeper.py GRACE_SECONDS`. Standard input is a pipe from the parent, with one line per change:
`+PID` for a process group that was started, `-PID` for one that is gone. When the pipe closes, for whatever reason, the
groups still listed are asked to stop (SIGTERM to their leaders) and killed after the grace. Only the standard library.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable


def listed_groups(lines: Iterable[str]) -> set[int]:
    """The process groups that are still there when the lines end."""
    groups: set[int] = set()
    for line in lines:
        sign, number = line[:1], line[1:].strip()
        if sign == "+" and number.isdigit():
            groups.add(int(number))
        elif sign == "-" and number.isdigit():
            groups.discard(int(number))
    return groups


def stop_groups(groups: Iterable[int], *, grace_seconds: float) -> None:
    """SIGTERM to every leader; SIGKILL to whatever of the groups is left after the grace."""
    left = {group for group in groups if signal_leader(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {group for group in left if signal_leader(group, 0)}
    for group in groups:
        kill_group(group)


def signal_leader(group: int, number: int) -> bool:
    """Send a signal to a group's leader; whether it was there."""
    try:
        os.kill(group, number)
    except (ProcessLookupError, PermissionError):  # gone, or its number belongs to someone else by now
        return False
    return True


def kill_group(group: int) -> None:
    """SIGKILL to every process of a group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def main() -> None:
    """Wait for the parent's end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stop_groups(listed_groups(sys.stdin), grace_seconds=float(sys.argv[1]))


if __name__ == "__main__":
    main()
