"""The score matrix as tables for a terminal: the method beside its controls where the width allows it.

Three layouts, the first that fits: methods side by side; methods one below the other; one row per task. Rows are
visits, columns tasks; a cell is the score in % (accuracy, or R²) on that task after that visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Group, RenderableType
from rich.measure import Measurement
from rich.table import Table

from ewc_client.matrix import Matrix, MethodScores
from ewc_client.score_intervals import PLUS_MINUS, chance_levels, half_width, have_intervals
from ewc_client.score_units import in_hundredths, unit
from ewc_client.terminal import Console, Text
from ewc_client.visible_text import visible

_NONE = "·"
_NARROWEST_CELL = 4  # 100 and a space
_STYLE = {"method": "bold cyan", "control": "yellow"}
_CELLS = ": row = after this visit, column = on this task. forgotten = points lost since the task's best score"
_RATIO_HEADINGS = ("retained", "kept")
_RETAINED = "; retained = the score now in % of the score when it was learned"


def score_view(matrix: Matrix, console: Console) -> RenderableType:
    """The matrix and its summary, laid out for the console's width."""
    cells = unit(matrix) + _CELLS
    matrix = in_hundredths(matrix)
    if not matrix.methods or not any(visit >= 0 for scores in matrix.methods.values() for visit in scores.rows):
        return Text("No visit has been evaluated yet.")
    body = next((layout for layout in _layouts(matrix, console.width) if _fits(layout, console)), None)
    retained, plus_minus = _RETAINED if any(matrix.has_ratios) else "", PLUS_MINUS if have_intervals(matrix) else ""
    heading = Text(f"{cells}{retained}{plus_minus}.{_chance(matrix)}")
    return Group(heading, Text(), body or _last_rows(matrix, console), Text(), _summary(matrix, console), *_verdict(matrix))


def _chance(matrix: Matrix) -> str:
    levels = chance_levels(matrix)
    if levels is None:
        return ""
    low, high = map(percent, levels)
    return f" Chance is {low}." if low == high else f" Chance is {low} to {high}, by task."


def _layouts(matrix: Matrix, width: int) -> Iterator[Table]:
    """From the roomiest to the narrowest, without those that can be seen not to fit before they are made."""
    narrowest = len(matrix.task_names) * _NARROWEST_CELL
    in_cells = (True, False) if have_intervals(matrix) else (False,)
    if narrowest * len(matrix.methods) <= width:
        for sure in in_cells:
            for gap, name_length in ((2, 24), (1, 16), (1, 10)):
                yield _side_by_side(matrix, gap=gap, name_length=name_length, sure=sure)
    if narrowest <= width:
        for sure in in_cells:
            for name_length in (24, 10):
                yield _stacked(matrix, name_length=name_length, sure=sure)


def _fits(layout: Table, console: Console) -> bool:
    unlimited = console.options.update(width=100_000)
    return Measurement.get(console, unlimited, layout).maximum <= console.width


def percent(value: float | None, *, signed: bool = False) -> str:
    """A fraction as a short percentage: 0.9724 is 97.2."""
    if value is None:
        return _NONE
    text = f"{100 * value:+.1f}" if signed else f"{100 * value:.1f}"
    text = text.replace("-0.0", "0.0") if text == "-0.0" else text
    return "100" if text == "100.0" else text


def _side_by_side(matrix: Matrix, *, gap: int, name_length: int, sure: bool) -> Table:
    """With `sure` every cell has its interval, else a row below has those of the last visit."""
    grid = Table.grid(padding=(0, gap))
    labels = _visit_labels(matrix, name_length, sure=sure)
    grid.add_row(labels, *(_method_table(matrix, scores, sure=sure) for scores in matrix.methods.values()))
    return grid


def _stacked(matrix: Matrix, *, name_length: int, sure: bool) -> Table:
    grid = Table.grid(padding=(0, 1))
    for scores in matrix.methods.values():
        grid.add_row(_visit_labels(matrix, name_length, sure=sure), _method_table(matrix, scores, sure=sure))
        grid.add_row("")
    return grid


def _visit_labels(matrix: Matrix, name_length: int, *, sure: bool) -> Table:
    table = _plain_table(Text(" "))
    table.add_column("after visit", no_wrap=True)
    for visit in _visits(matrix):
        table.add_row(_visit_label(matrix, visit, name_length))
    table.add_section()
    if have_intervals(matrix) and not sure:
        table.add_row("last row ±")
    table.add_row("forgotten")
    if any(matrix.has_ratios):
        table.add_row("retained")
    return table


def _method_table(matrix: Matrix, scores: MethodScores, *, sure: bool) -> Table:
    style = _STYLE.get(scores.role, "")
    table = _plain_table(Text(_method_label(scores), style=style))
    table.min_width = len(_method_label(scores))
    for task in range(len(matrix.task_names)):
        table.add_column(f"t{task}", justify="right", no_wrap=True)
    for visit in _visits(matrix):
        seen = {matrix.visits[earlier] for earlier in _visits(matrix) if earlier <= visit}
        cells = (_score(scores, visit, task, sure=sure) if task in seen else _NONE for task in range(len(matrix.task_names)))
        table.add_row(*(_cell(cell) for cell in cells))
    table.add_section()
    if have_intervals(matrix) and not sure:
        last = max(_visits(matrix))
        table.add_row(*(_cell(percent(half_width(scores, last, task))) for task in range(len(matrix.task_names))))
    summary = scores.summary
    table.add_row(*(_cell(percent(_at(summary.forgetting, task))) for task in range(len(matrix.task_names))))
    if any(matrix.has_ratios):
        table.add_row(*(_cell(percent(_at(summary.retention, task))) for task in range(len(matrix.task_names))))
    return table


def _score(scores: MethodScores, visit: int, task: int, *, sure: bool) -> str:
    """A cell: 94.1, or 94.1 ±0.6."""
    text, half = percent(_at(scores.rows.get(visit, ()), task)), half_width(scores, visit, task)
    return f"{text} ±{percent(half)}" if sure and half is not None else text


def _by_task(matrix: Matrix, methods: Sequence[MethodScores], *, name_length: int = 24, sure: bool) -> Table:
    """For more tasks than fit beside each other: per method the last score, what was forgotten, and what is retained."""
    has_ratios = any(matrix.has_ratios)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("task", no_wrap=True)
    for scores in methods:
        for heading in (scores.kind, "lost", "kept") if has_ratios else (scores.kind, "lost"):
            style = _STYLE.get(scores.role, "") if heading == scores.kind else ""
            table.add_column(heading, justify="right", no_wrap=True, style=style)
    last_visit = max(_visits(matrix))
    for task, name in enumerate(matrix.task_names):
        cells: list[str] = []
        for scores in methods:
            summary = scores.summary
            columns = (summary.forgetting, *((summary.retention,) if has_ratios else ()))
            cells += [_score(scores, last_visit, task, sure=sure), *(percent(_at(values, task)) for values in columns)]
        table.add_row(str(task), shorten(name, name_length), *cells)
    return table


def _last_rows(matrix: Matrix, console: Console) -> RenderableType:
    """All methods in one table where that fits, else one below the other."""
    kept = ", kept = retained" if any(matrix.has_ratios) else ""
    caption = Text(f"Too many tasks for the whole matrix: its last row. lost = forgotten{kept}.", "dim italic")
    methods = list(matrix.methods.values())
    for sure in (True, False):
        for name_length in (24, 10):
            together = _by_task(matrix, methods, name_length=name_length, sure=sure)
            if _fits(together, console):
                return Group(together, caption)
    return Group(*(part for scores in methods for part in (_by_task(matrix, [scores], sure=True), Text())), caption)


def _summary(matrix: Matrix, console: Console) -> RenderableType:
    headings = ("average", "forgotten", "retained", "backward transfer", "forward transfer")
    wide = _summary_table(matrix, headings, _method_label)
    if _fits(wide, console):
        return wide
    kept = ", kept = retained" if any(matrix.has_ratios) else ""
    explanation = f"lost = forgotten{kept}, back and forth = backward and forward transfer."
    narrow = _summary_table(matrix, ("average", "lost", "kept", "back", "forth"), lambda scores: scores.kind)
    narrow.padding = (0, 1, 0, 0)
    return Group(narrow, Text(explanation, "dim italic"))


def _summary_table(matrix: Matrix, headings: Sequence[str], label: Callable[[MethodScores], str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("over all tasks", no_wrap=True)
    has_ratios = any(matrix.has_ratios)
    for heading in headings:
        if has_ratios or heading not in _RATIO_HEADINGS:
            table.add_column(heading, justify="right", no_wrap=True)
    for scores in matrix.methods.values():
        summary = scores.summary
        table.add_row(
            Text(label(scores), style=_STYLE.get(scores.role, "")),
            percent(summary.average),
            percent(summary.average_forgetting),
            *((percent(summary.average_retention),) if has_ratios else ()),
            percent(summary.backward_transfer, signed=True),
            percent(summary.forward_transfer, signed=True),
        )
    return table


def _verdict(matrix: Matrix) -> list[Text]:
    """One sentence with the numbers that matter most, where they exist: what is retained, or else how much was lost."""
    found = {kind: scores.summary for kind, scores in matrix.methods.items()}
    kept = [f"{kind} {percent(one.average_retention)} %" for kind, one in found.items() if one.average_retention is not None]
    lost = [f"{kind} {percent(one.average_forgetting)}" for kind, one in found.items() if one.average_forgetting is not None]
    lines = []
    if len(kept) > 1:
        lines.append(f"Earlier tasks retained, on average: {', '.join(kept)}.")
    elif len(lost) > 1:
        lines.append(f"Points lost on earlier tasks, on average: {', '.join(lost)}.")
    totals = {kind: scores.clipped_total for kind, scores in matrix.methods.items()}
    if any(total is not None for total in totals.values()):
        listed = ", ".join(f"{kind} {total:.2f}" for kind, total in totals.items() if total is not None)
        lines.append(f"Total of {len(matrix.task_names)} tasks, each at most 1: {listed}.")
    return [Text(), *(Text(line, style="bold") for line in lines)] if lines else []


def _plain_table(title: Text) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=0,
    )


def _visits(matrix: Matrix) -> list[int]:
    """Visits that have been evaluated, in order."""
    evaluated = {visit for scores in matrix.methods.values() for visit in scores.rows}
    return [visit for visit in sorted(matrix.visits) if visit in evaluated and _has_own_score(matrix, visit)]


def _has_own_score(matrix: Matrix, visit: int) -> bool:
    """A row may hold only the score of the next task before it is learned; then its visit is not over."""
    task = matrix.visits[visit]
    return any(_at(scores.rows.get(visit, ()), task) is not None for scores in matrix.methods.values())


def _visit_label(matrix: Matrix, visit: int, name_length: int) -> str:
    task = matrix.visits[visit]
    return f"{visit} t{task} {shorten(matrix.task_names[task], name_length)}"


def _method_label(scores: MethodScores) -> str:
    return scores.kind if scores.role == "method" else f"{scores.kind} (control)"


def _cell(text: str) -> Text:
    return Text(text, style="dim" if text == _NONE else "")


def _at(values: tuple[float | None, ...], index: int) -> float | None:
    return values[index] if index < len(values) else None


def shorten(name: str, width: int) -> str:
    """The name in at most `width` columns, its middle left out when it is too long: its end often tells it from others."""
    name = visible(name)
    if cell_len(name) <= width:
        return name
    tail = (width - 1) // 3
    end = next(start for start in range(len(name) + 1) if cell_len(name[start:]) <= tail)
    return set_cell_size(name, width - 1 - cell_len(name[end:])) + "…" + name[end:]


def mean(scores: Mapping[str, float]) -> float | None:
    """The mean of an evaluation's scores."""
    return sum(scores.values()) / len(scores) if scores else None
