"""The Range header (RFC 9110, section 14), one range of bytes at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from api.errors import RangeNotSatisfiable

_ONE_RANGE = re.compile(r"[ \t]*(?P<first>[0-9]*)-(?P<last>[0-9]*)[ \t]*")


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
    """The range that a Range header asks for; None stands for the whole content.

    `0-99` are the first 100 bytes, `100-` all from the 101st on, `-100` the last 100. A last byte beyond the end means
    the end. The whole content answers a request without the header, in another unit than bytes, for several ranges
    (14.2 lets a server do so), and for the last bytes of an empty content.

    Raises:
        RangeNotSatisfiable: the header is malformed, or asks only for bytes beyond the end.
    """
    if header is None:
        return None
    unit, _, ranges = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    # Empty elements of a list count for nothing (5.6.1).
    wanted = [_one_range(text, header, size) for text in ranges.split(",") if text.strip()]
    satisfiable = [one for one in wanted if one is not None]
    if not satisfiable:
        raise RangeNotSatisfiable(header, size)
    return None if len(wanted) > 1 or size == 0 else satisfiable[0]


def _one_range(text: str, header: str, size: int) -> ByteRange | None:
    """None when the content has none of these bytes."""
    match = _ONE_RANGE.fullmatch(text)
    if match is None or not (match["first"] or match["last"]):
        raise RangeNotSatisfiable(header, size)
    last = _number(match["last"])
    if not match["first"]:
        return ByteRange(size - min(last, size), size, size) if last else None
    first = _number(match["first"])
    if match["last"] and last < first:
        raise RangeNotSatisfiable(header, size)
    return ByteRange(first, min(last + 1, size) if match["last"] else size, size) if first < size else None


def _number(digits: str) -> int:
    """The number, or one that is larger than any content: Python refuses to read thousands of digits."""
    return int(digits.lstrip("0")[:19] or "0")
