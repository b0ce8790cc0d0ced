"""What to read off a curve over time; entry t − 1 of an array belongs to time t, and times count from 1."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def first_lost_at(fraction_retained: FloatArray) -> int | None:
    """The first time when not every pattern is retained; None if that never happens."""
    return _first(fraction_retained < 1.0)


def blackout_at(fraction_retained: FloatArray) -> int | None:
    """The time from which nothing is retained up to the end of the curve; None if something still is at the end."""
    kept = np.flatnonzero(fraction_retained > 0.0)
    start = int(kept[-1]) + 2 if len(kept) else 1
    return start if start <= len(fraction_retained) else None


def falls_below_at(curve: FloatArray, other: FloatArray) -> int | None:
    """The first time when `curve` is below `other`; None if it never is."""
    return _first(curve < other)


def log_log_slope(curve: FloatArray, start: int, stop: int) -> float | None:
    """ln(curve(stop)/curve(start)) / ln(stop/start): the exponent of a power law between two times.

    None where the curve is not positive and finite at both.
    """
    first, last = float(curve[start - 1]), float(curve[stop - 1])
    if not (0.0 < first < math.inf and 0.0 < last < math.inf):
        return None
    return math.log(last / first) / math.log(stop / start)


def _first(condition: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(condition)) + 1 if bool(condition.any()) else None
