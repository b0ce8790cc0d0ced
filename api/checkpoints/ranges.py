"""The Range header (RFC 9110, section 14), one range of bytes at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.errors import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"\s*(?P<first>\d{0,18})-(?P<last>\d{0,18})\s*")


@dataclass(frozen=True)
class ByteRange:
    """Bytes `start` to `stop` of a content of `size` bytes, stop exclusive."""

    start: int
    stop: int
    size: int

    @property
    def content_range(self) -> str:
        """The Content-Range header of a 206 answer."""
        return f"bytes {self.start}-{self.stop - 1}/{self.size}"


def requested_range(header: str | None, size: int) -> ByteRange | None:
    """The range that a Range header asks for; None (the whole content) without a header or for another unit than bytes.

    `0-99` are the first 100 bytes, `100-` all from the 101st on, `-100` the last 100. A last byte beyond the end means
    the end.

    Raises:
        RangeNotSatisfiable: the header is malformed, asks for several ranges, or for bytes beyond the end.
    """
    if header is None:
        return None
    unit, _, ranges = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    match = _ONE_RANGE.fullmatch(ranges)
    if match is None or not (match["first"] or match["last"]):
        raise RangeNotSatisfiable(header, size)
    if not match["first"]:
        start, stop = size - min(int(match["last"]), size), size
    else:
        start = int(match["first"])
        stop = min(int(match["last"]) + 1, size) if match["last"] else size
    if start >= stop:
        raise RangeNotSatisfiable(header, size)
    return ByteRange(start, stop, size)
