"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ewc_client.score_tables import shorten

_WIDTH_WITHOUT_TERMINAL = 100
_GAP = 3  # columns between two columns of a table
_NARROWEST_NAME = 8


class Output(StrEnum):
    """Forms of a result."""

    TABLE = "table"
    JSON = "json"


class MatrixOutput(StrEnum):
    """Forms of a score matrix."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="json prints one JSON document on standard output and nothing else there")
]


def result_console() -> Console:
    """Standard output. Without a terminal: 100 columns (or COLUMNS) and no control characters."""
    return _console(stderr=False)


def message_console() -> Console:
    """Standard error."""
    return _console(stderr=True)


def say(message: str) -> None:
    """One message on standard error, as it is."""
    message_console().print(Text(message), soft_wrap=True)


def print_json(document: object) -> None:
    """A result as JSON."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def print_result(renderable: RenderableType) -> None:
    """A result for people."""
    result_console().print(renderable)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """A plain table; only the column "name" is ever cut. `empty` is said, on standard error, when there are no rows."""
    if not rows:
        say(empty)
        return
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(headings, *texts, strict=True)]
    console = result_console()
    if "name" in headings:
        name = headings.index("name")
        room = console.width - sum(widths) - _GAP * (len(widths) - 1) + widths[name]
        widths[name] = max(_NARROWEST_NAME, min(widths[name], room))
        for row in texts:
            row[name] = shorten(row[name], widths[name])
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading, width in zip(headings, widths, strict=True):
        table.add_column(heading, no_wrap=True, min_width=width)
    for row in texts:
        table.add_row(*(Text(text) for text in row))
    console.print(table, crop=False)


def print_fields(fields: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one pair per line; pairs without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value is not None and value != "":
            grid.add_row(name, Text(str(value)))
    print_result(grid)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDTH_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False)
