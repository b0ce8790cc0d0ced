"""Text that came from elsewhere, as it may be shown: nothing in it steers a terminal, a log or a picture."""

from __future__ import annotations

import json
import unicodedata

_MOST_MARKS_IN_A_ROW = 4  # Vietnamese, Hebrew and Thai need up to three


def visible(text: str) -> str:
    r"""The text in one line; what a terminal would obey, or show as nothing, is written as Python writes it: `\x1b`, `\u202e`.

    That is whatever has no picture (control characters, line breaks, marks of direction, halves of surrogate pairs), and
    combining marks that have no letter below them, or four others.
    """
    if text.isascii() and text.isprintable():
        return text
    shown, num_marks = [], _MOST_MARKS_IN_A_ROW
    for character in text:
        num_marks = num_marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        is_plain = character.isprintable() or unicodedata.category(character) == "Zs"
        shown.append(character if is_plain and num_marks <= _MOST_MARKS_IN_A_ROW else character.encode("unicode_escape").decode())
    return "".join(shown)


def visible_lines(text: str) -> list[str]:
    """A message that may have several lines, say of a user's code. All but the first are indented: none can pass for another."""
    first, *others = text.split("\n")
    return [visible(first), *(f"  {visible(line)}" for line in others if line.strip())]


def visible_json(document: object) -> str:
    """The document as indented JSON with its true text; JSON's own escapes stand for what `visible` would escape."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return "".join(
        character if character == "\n" or character.isprintable() else json.dumps(character)[1:-1] for character in text
    )
