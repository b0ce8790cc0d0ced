"""A table that stays legible where it does not fit: then every row is a list of its values."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult  # noqa: TID251 whoever prints it brings one
from rich.table import Table

from ewc_client.terminal import Text
from ewc_client.visible_text import visible

WIDE_GAP, NARROW_GAP = 3, 1  # columns between two columns of a table


class FittingTable:
    """Headings may be broken between words, cells never are. The first columns, `num_names` of them, are aligned to the left.

    With `may_overflow` the table is printed as one however narrow the console is.
    """

    def __init__(self, headings: Sequence[str], *, num_names: int = 1, caption: str = "", may_overflow: bool = False) -> None:
        self._headings = list(headings)
        self._rows: list[tuple[list[str], str]] = []
        self._num_names = num_names
        self._may_overflow = may_overflow
        self.caption = caption

    def add_row(self, *cells: str, style: str = "") -> None:
        """One cell for each heading."""
        self._rows.append(([visible(cell) for cell in cells], style))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = list(zip(self._headings, *(row for row, _ in self._rows), strict=True))
        cells = [max(map(cell_len, column[1:]), default=0) for column in columns]
        natural = [max(cell_len(column[0]), width) for column, width in zip(columns, cells, strict=True)]
        narrowest = [
            max(*map(cell_len, column[0].split()), width) if column[0] else width
            for column, width in zip(columns, cells, strict=True)
        ]
        num_gaps = len(columns) - 1
        gap = WIDE_GAP if sum(narrowest) + WIDE_GAP * num_gaps <= options.max_width or self._may_overflow else NARROW_GAP
        gaps = gap * num_gaps
        if sum(narrowest) + gaps > options.max_width and not self._may_overflow:
            yield from self._lists(options)
        else:
            fits = sum(natural) + gaps <= options.max_width or self._may_overflow
            widths = natural if fits else narrowest
            yield from console.render(self._table(widths, gap), options.update(width=sum(widths) + gaps))
        if self.caption:
            yield Text(self.caption, "dim italic")

    def _table(self, widths: Sequence[int], gap: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap // 2))
        for index, (heading, width) in enumerate(zip(self._headings, widths, strict=True)):
            table.add_column(heading, justify="left" if index < self._num_names else "right", width=width)
        for row, style in self._rows:
            table.add_row(*row, style=style)
        return table

    def _lists(self, options: ConsoleOptions) -> RenderResult:
        for number, (row, style) in enumerate(self._rows):
            if number:
                yield Text()
            grid = Table.grid(padding=(0, 2))
            grid.add_column(style="dim", max_width=options.max_width // 2)
            grid.add_column(overflow="fold")
            for heading, cell in zip(self._headings, row, strict=True):
                if cell:
                    grid.add_row(heading, Text(cell, style))
            yield grid
