"""Ids: a prefix that says what it names, and 26 sortable characters."""

from __future__ import annotations

import secrets
import time
from typing import Literal

IdPrefix = Literal["job", "task", "sw", "ckpt", "blob", "key", "req", "sweep", "wrk"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NUM_CHARACTERS = 26
_NUM_RANDOM_BITS = 80


def new_id(prefix: IdPrefix) -> str:
    """A fresh id such as `job_01KAPQ3Z5J8W1V2X3Y4Z5A6B7C`.

    48 bits of milliseconds since 1970, then 80 random bits, in Crockford's base 32: ids made later on one host sort
    later, to the millisecond. The host's clock orders ids only; nothing that must be right depends on it.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << _NUM_RANDOM_BITS) | secrets.randbits(_NUM_RANDOM_BITS)
    characters = [_ALPHABET[(value >> (5 * place)) & 31] for place in reversed(range(_NUM_CHARACTERS))]
    return f"{prefix}_{''.join(characters)}"
