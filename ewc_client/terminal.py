"""The one way to the terminal: rich's classes, through which foreign text passes as `visible` text, without markup.

Every other module takes `Text`, `Console` and `TextColumn` from here; ruff refuses rich's own (TID251).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from rich import console, progress, text

from ewc_client.visible_text import visible, visible_json

_WIDTH_WITHOUT_TERMINAL = 100


class Text(text.Text):
    """Text in one line, as it may be shown."""

    def __init__(self, plain: str = "", style: Any = "", **options: Any) -> None:
        super().__init__(visible(plain), style, **options)


class Console(console.Console):
    """A console that takes a plain string, also in a table, for text and not for markup."""

    def render_str(self, text: str, *, style: Any = "", justify: Any = None, overflow: Any = None, **_options: Any) -> Text:
        """The string as text."""
        return Text(text, style, justify=justify, overflow=overflow)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; what goes to a file or another program has no spaces at the ends of its lines."""
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write("\n".join(line.rstrip(" ") for line in captured.get().split("\n")))
        self.file.flush()


class TextColumn(progress.TextColumn):
    """A column of a progress display."""

    def render(self, task: progress.Task) -> Text:
        """The column's text for a task."""
        return Text(self.text_format.format(task=task), self.style, justify=self.justify)


def result_console() -> Console:
    """Standard output. Without a terminal: 100 columns (or COLUMNS) and no control characters."""
    return _console(stderr=False)


def message_console() -> Console:
    """Standard error."""
    return _console(stderr=True)


def has_own_width(console: Console) -> bool:
    """Whether somebody looks at a screen of this width; what goes to a file or another program may be wider."""
    return console.is_terminal or "COLUMNS" in os.environ


def print_json(document: object) -> None:
    """A document on standard output."""
    _write(visible_json(document))


def print_lines(text: str) -> None:
    """Text that programs read, line by line, on standard output: never wrapped or cut."""
    _write("\n".join(map(visible, text.removesuffix("\n").split("\n"))))


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False)
