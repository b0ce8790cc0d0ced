"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table

from ewc_client.fitting_table import NARROW_GAP, WIDE_GAP, FittingTable
from ewc_client.score_tables import shorten
from ewc_client.terminal import Text, has_own_width, message_console, result_console
from ewc_client.visible_text import visible

_NARROWEST_NAME = 16


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


def say(*lines: str) -> None:
    """Messages on standard error, each in one line; a terminal breaks long ones between words.

    A line that begins with a space is a command, to be copied whole.
    """
    console = message_console()
    for line in lines:
        console.print(Text(line), soft_wrap=not console.is_terminal or line.startswith(" "))


def print_result(renderable: RenderableType) -> None:
    """A result for people."""
    result_console().print(renderable)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """A plain table. On a terminal the column "name" is cut to fit; where that is not enough, each row is a list of values.

    `empty` is said, on standard error, when there are no rows.
    """
    if not rows:
        say(empty)
        return
    texts = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(headings, *texts, strict=True)]
    console = result_console()
    fits = not has_own_width(console)
    if "name" in headings and not fits:
        name = headings.index("name")
        rooms = [console.width - sum(widths) - gap * (len(widths) - 1) + widths[name] for gap in (WIDE_GAP, NARROW_GAP)]
        for room in [room for room in rooms if room >= _NARROWEST_NAME][:1]:
            for row in texts:
                row[name] = shorten(row[name], room)
    table = FittingTable(headings, num_names=len(headings), may_overflow=fits)
    for row in texts:
        table.add_row(*row)
    console.print(table, crop=False)


def print_fields(fields: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one pair per line; pairs without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value is not None and value != "":
            grid.add_row(name, str(value))
    print_result(grid)
