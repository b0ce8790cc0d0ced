"""The units of scores: what they are called, and what is printed of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ewc_client.matrix import Matrix

Interval = tuple[float, float] | None
_UNITS = {
    "accuracy": "Accuracy in %",
    "r2": "R² in %",
    "normalised": "Mean return in % (random play is 0, the reference player 100)",
    "return": "Mean return",
}
_UNLIKE = (
    "Mean return of tasks {plain}, of the others in % (random play is 0, the reference player 100); there is no average over both"
)


def unit(matrix: Matrix) -> str:
    """What the cells of the matrix are."""
    if matrix.metric is None:
        return _UNLIKE.format(plain=", ".join(str(task) for task, metric in enumerate(matrix.metrics) if metric == "return"))
    return _UNITS.get(matrix.metric, matrix.metric)


def in_hundredths(matrix: Matrix) -> Matrix:
    """Cells are printed times 100; a return is printed as it is."""
    if "return" not in matrix.metrics:
        return matrix

    def less(value: float | None) -> float | None:
        return None if value is None else value / 100.0

    def less_each(values: Sequence[float | None]) -> tuple[float | None, ...]:
        pairs = zip(values, matrix.metrics, strict=False)
        return tuple(less(value) if metric == "return" else value for value, metric in pairs)

    def less_ends(rows: Mapping[int, Sequence[Interval]]) -> dict[int, tuple[Interval, ...]]:
        return {
            visit: tuple(
                (ends[0] / 100.0, ends[1] / 100.0) if ends is not None and metric == "return" else ends
                for ends, metric in zip(row, matrix.metrics, strict=False)
            )
            for visit, row in rows.items()
        }

    methods = {}
    for kind, scores in matrix.methods.items():
        # Of unlike scores there are no averages, so that all of these are returns.
        summary = replace(
            scores.summary,
            average=less(scores.summary.average),
            forgetting=less_each(scores.summary.forgetting),
            average_forgetting=less(scores.summary.average_forgetting),
            backward_transfer=less(scores.summary.backward_transfer),
            forward_transfer=less(scores.summary.forward_transfer),
        )
        rows = {visit: less_each(row) for visit, row in scores.rows.items()}
        methods[kind] = replace(scores, rows=rows, summary=summary, intervals=less_ends(scores.intervals))
    return replace(matrix, methods=methods)
