"""Which form of an answer a client would rather have (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Sequence


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """The media type of `offered` that the Accept header likes best; the first one on a tie, or when it likes none."""
    weights = {media_type: _weight(accept or "*/*", media_type) for media_type in offered}
    return max(offered, key=lambda media_type: weights[media_type])


def _weight(accept: str, media_type: str) -> float:
    """The weight of the most specific range that the media type is in."""
    ranges = {"*/*": 0, f"{media_type.partition('/')[0]}/*": 1, media_type: 2}
    found = (-1, 0.0)
    for element in accept.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        if name in ranges:
            found = max(found, (ranges[name], _quality(parameters)))
    return found[1]


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
