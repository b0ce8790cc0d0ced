"""Ids: a prefix that says what it names, and 26 sortable characters."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Literal

IdPrefix = Literal["job", "task", "sw", "ckpt", "blob", "chunk", "snap", "key", "req", "sweep", "wrk"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUM_CHARACTERS = 26
_NUM_RANDOM_BITS = 80
_NUM_STEP_BITS = 40
_last = 0
_guard = threading.Lock()


def new_id(prefix: IdPrefix) -> str:
    """A fresh id such as `job_01KAPQ3Z5J8W1V2X3Y4Z5A6B7C`.

    48 bits of milliseconds since 1970, then 80 random bits, in Crockford's base 32: ids made later by one process sort
    later, those of one host to the millisecond. The host's clock orders ids only; nothing that must be right depends on it.
    """
    global _last
    value = (time.time_ns() // 1_000_000) << _NUM_RANDOM_BITS | secrets.randbits(_NUM_RANDOM_BITS)
    with _guard:
        if value >> _NUM_RANDOM_BITS <= _last >> _NUM_RANDOM_BITS:
            value = _last + 1 + secrets.randbits(_NUM_STEP_BITS)
        _last = value
    characters = [_ALPHABET[(value >> (5 * place)) & 31] for place in reversed(range(_NUM_CHARACTERS))]
    return f"{prefix}_{''.join(characters)}"
