"""What is said of data when they are first loaded: a line for all tasks whose data look alike."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from ewc_core.data.as_read import TaskRead, in_a_line

MOST_LINES = 10


def lines_of(reads: Mapping[int, TaskRead]) -> list[str]:
    """One line a kind of data, by task index; at most `MOST_LINES`, of which the last says how many more there are."""
    alike: dict[str, list[int]] = {}
    for task, read in reads.items():
        text = "cannot be described" if read.as_read is None else in_a_line(read.as_read)
        alike.setdefault(text, []).append(task)
    lines = [f"data of {_named(tasks)}: {text}" for text, tasks in alike.items()]
    rest = len(lines) - MOST_LINES
    return lines if rest <= 0 else [*lines[: MOST_LINES - 1], f"and {rest + 1} more kinds of data"]


def _named(tasks: list[int]) -> str:
    """Task indices, with runs of consecutive ones drawn together."""
    runs = [[task for _, task in run] for _, run in groupby(enumerate(sorted(tasks)), lambda pair: pair[1] - pair[0])]
    parts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    return f"task{'s' if len(tasks) > 1 else ''} {', '.join(parts)}"
