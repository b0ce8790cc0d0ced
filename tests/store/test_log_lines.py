"""Log lines that text of users cannot forge."""

from __future__ import annotations

import logging

from store.log_lines import LineFormatter


def _line(message: str, *arguments: object, exc_info=None) -> str:
    record = logging.LogRecord("api", logging.INFO, __file__, 1, message, arguments, exc_info)
    return LineFormatter("%(levelname)s %(name)s %(message)s").format(record)


def test_a_line_break_or_an_escape_code_in_an_argument_stays_in_its_line():
    name = "x\n2026-01-01 00:00:00 ERROR api forged\r\x1b[2J\x9b\u2028\u202e\ud800"
    line = _line("job %s is queued", name)
    assert line == r"INFO api job x\n2026-01-01 00:00:00 ERROR api forged\r\x1b[2J\x9b\u2028\u202e\ud800 is queued"


def test_lines_of_a_traceback_are_indented():
    try:
        raise ValueError("boom\nERROR api forged\x1b[2J")
    except ValueError as error:
        text = _line("failed", exc_info=(type(error), error, error.__traceback__))
    first, *others = text.split("\n")
    assert first == "INFO api failed"
    assert others[-2:] == ["  ValueError: boom", r"  ERROR api forged\x1b[2J"]
    assert all(line.startswith("  ") for line in others)
