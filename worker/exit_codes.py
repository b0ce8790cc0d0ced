"""What a trainer's exit status tells its supervisor (numbers from sysexits.h where one fits)."""

SETTLED = 0
"""The trainer moved the job to its next state itself; nothing is left to do."""

NO_RECORD_OR_ROOM = 69
"""The database could not be reached, or a disk is full; the job goes on later."""

CRASHED = 70
"""An unexpected exception; its traceback is the last thing on standard error."""

FENCED = 75
"""Another worker holds the job; whatever this trainer had not committed is void."""

STOPPED = 77
"""Stopped on request after saving a resume point; the job goes back to the queue."""

ORPHANED = 78
"""The supervisor is gone; its lease will run out."""


def as_said(status: int) -> bytes:
    """What a trainer says to its supervisor before it leaves with `status` of its own accord."""
    return bytes([status])
