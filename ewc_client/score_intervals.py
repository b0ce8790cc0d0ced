"""How sure scores are, and what chance gives: short enough for a cell, and for a heading."""

from __future__ import annotations

from ewc_client.matrix import Matrix, MethodScores

PLUS_MINUS = "; ± = half of the 95 % interval over the examples or episodes evaluated"


def half_width(scores: MethodScores, visit: int, task: int) -> float | None:
    """Half of the width of a cell's interval; None where it has none."""
    ends = scores.intervals.get(visit, ())
    interval = ends[task] if task < len(ends) else None
    return None if interval is None else (interval[1] - interval[0]) / 2.0


def have_intervals(matrix: Matrix) -> bool:
    """Whether any cell after a visit has one."""
    rows = (row for scores in matrix.methods.values() for visit, row in scores.intervals.items() if visit >= 0)
    return any(interval is not None for row in rows for interval in row)


def chance_levels(matrix: Matrix) -> tuple[float, float] | None:
    """The smallest and the largest chance level in the last rows of all methods; None where none is known."""
    last = [scores.chances[max(scores.chances)] for scores in matrix.methods.values() if scores.chances]
    known = [chance for row in last for chance in row if chance is not None]
    return (min(known), max(known)) if known else None
