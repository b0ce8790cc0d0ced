"""Foreign text as it may be shown."""

from __future__ import annotations

import json

import pytest

from ewc_client.errors import ApiError, JobFailedError
from ewc_client.visible_text import visible, visible_json, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x9b2J", r"\x9b2J"),
        ("two\nlines\r\ttab", r"two\nlines\r\ttab"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("a\u2028b\u2029c\x85", r"a\u2028b\u2029c\x85"),
        ("nul\x00 del\x7f zero\u200bwidth\ufeff", r"nul\x00 del\x7f zero\u200bwidth\ufeff"),
        ("half \ud83d", r"half \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("\u0301first", r"\u0301first"),
        ("z" + 7 * "\u0301", "z" + 4 * "\u0301" + 3 * r"\u0301"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_written_out(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text", ["", "plain [red]", "Ünïcödé", "数字の置換", "a\u3000b\xa0c", "e\u0301", "שָׁלוֹם", "🙂", r"C:\x1b"]
)
def test_other_text_stays_as_it_is(text):
    assert visible(text) == text


def test_further_lines_of_a_message_are_indented_so_that_none_passes_for_another():
    assert visible_lines("a: b\n\njob job_1 succeeded\x1b[0m") == ["a: b", r"  job job_1 succeeded\x1b[0m"]


@pytest.mark.parametrize("name", ["\x1b]0;x\x07", "\x9b\x7f\u202e\u2028", "\ud83d", "数字", "\U000e0041"])
def test_json_has_the_true_text_and_nothing_that_steers_a_terminal(name):
    text = visible_json({"name": name, name: [1.5, None]})
    assert json.loads(text) == {"name": name, name: [1.5, None]}
    assert all(character.isprintable() or character == "\n" for character in text)


def test_errors_of_the_client_say_foreign_text_escaped_and_keep_it_as_it_came():
    detail = "no job \x1b[2J\nerror: all is well"
    error = ApiError(
        404, {"code": "not_found", "detail": detail, "errors": [{"pointer": "/a\x9b", "code": "x", "detail": "\u202e"}]}
    )
    assert str(error).split("\n") == [r"no job \x1b[2J", "  error: all is well (not_found, HTTP 404)", r"  a\x9b: \u202e"]
    assert error.detail == detail
    assert str(JobFailedError("job_1", "user_code", "boom\x1b[2J")) == r"job job_1 failed (user_code): boom\x1b[2J"
