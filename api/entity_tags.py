"""ETag and If-None-Match (RFC 9110, section 13)."""

from __future__ import annotations


def quoted(value: str) -> str:
    """A strong entity tag."""
    return f'"{value}"'


def matches(header: str, tag: str) -> bool:
    """Whether an If-None-Match header names the tag (weak comparison), or is `*`."""
    candidates = [candidate.strip().removeprefix("W/") for candidate in header.split(",")]
    return "*" in candidates or tag in candidates
