"""Fewer points of a series without losing what a chart shows: its ends and its peaks."""

from __future__ import annotations

from collections.abc import Sequence

from store.records import MetricPoint


def keep_extremes(points: Sequence[MetricPoint], *, max_points: int) -> list[MetricPoint]:
    """At most `max_points` (>= 4) of `points` in their order: the first, the last, and of equal stretches between them the
    smallest and the largest value.

    Raises:
        ValueError: `max_points` is below 4, too few for both ends and both extremes.
    """
    if max_points < 4:
        raise ValueError(f"max_points is {max_points}; expected at least 4")
    if len(points) <= max_points:
        return list(points)
    inner = range(1, len(points) - 1)
    num_stretches = (max_points - 2) // 2
    chosen = {0, len(points) - 1}
    for stretch in range(num_stretches):
        indices = inner[stretch * len(inner) // num_stretches : (stretch + 1) * len(inner) // num_stretches]
        chosen.add(min(indices, key=lambda index: points[index].value))
        chosen.add(max(indices, key=lambda index: points[index].value))
    return [points[index] for index in sorted(chosen)]
