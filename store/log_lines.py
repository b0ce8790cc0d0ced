"""The log of every process of the service: on standard error, one record a line, which text of users cannot forge."""

from __future__ import annotations

import logging
from typing import Any


class LineFormatter(logging.Formatter):
    """Writes what is not printable in a message as an escape; only a traceback has further lines, which are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 logging's name
        """The record's line."""
        record.message = _escaped(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 logging's name
        """The traceback."""
        return "\n".join(f"  {_escaped(line)}" for line in super().formatException(ei).split("\n"))


def log_to_stderr(format: str = "%(asctime)s %(levelname)s %(name)s %(message)s") -> None:  # noqa: A002 logging's name
    """Send records of level INFO and above to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(format))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)
