"""What an API key looks like: `ewc_live_<8 characters>_<43 characters>_<6 characters>`.

The first part names the key and is stored as it is; the second is 256 random bits, of which only the SHA-256 is
stored; the third is a CRC-32 of what comes before, so that a mistyped key is refused without asking the database, and
so that leaked keys can be found in text with certainty.
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass
from hashlib import sha256

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LOWER = "0123456789abcdefghjkmnpqrstvwxyz"
KEY_START = "ewc_live_"
_FORMAT = re.compile(r"(?P<body>ewc_live_(?P<prefix>[0-9a-z]{8})_(?P<secret>[A-Za-z0-9_-]{43}))_(?P<checksum>[0-9A-Za-z]{6})")


@dataclass(frozen=True)
class NewKey:
    """A key that has just been made. `text` is what its owner gets, once."""

    text: str
    prefix: str
    secret_sha256: str


@dataclass(frozen=True)
class ParsedKey:
    """A well-formed key as a request brings it."""

    prefix: str
    secret_sha256: str


def new_key() -> NewKey:
    """A random key."""
    prefix = "".join(secrets.choice(_LOWER) for _ in range(8))
    secret = secrets.token_urlsafe(32)
    body = f"ewc_live_{prefix}_{secret}"
    return NewKey(text=f"{body}_{_checksum(body)}", prefix=prefix, secret_sha256=_digest(secret))


def parse_key(text: str) -> ParsedKey | None:
    """The parts of a key, or None when the text is no key."""
    match = _FORMAT.fullmatch(text)
    if match is None or _checksum(match["body"]) != match["checksum"]:
        return None
    return ParsedKey(prefix=match["prefix"], secret_sha256=_digest(match["secret"]))


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _checksum(body: str) -> str:
    """CRC-32 in base 62, six digits (62**6 > 2**32)."""
    value = zlib.crc32(body.encode())
    digits = []
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
