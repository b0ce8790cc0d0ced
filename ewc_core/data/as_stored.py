"""How a data set lies in its file, as far as its float32 tensors no longer show it: type, columns, values that became equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

NUMBERS_COMPARED = 2**22
MOST_MERGED = 1000
_KEPT = 0.99


@dataclass(frozen=True)
class Merged:
    """A column whose values differ as they are stored, and many of them no longer as float32: distinct values of each."""

    column: int
    num_stored: int
    num_read: int


@dataclass(frozen=True)
class AsStored:
    """`dtype` of the inputs in the file; of a table, the names of its `columns` that are features, and those `left_out`
    because they say where a row stood and nothing about it; and the columns that float32 has merged.

    `unit_range` is whether each feature was scaled to [0, 1] by the training examples.
    """

    dtype: str
    columns: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    merged: tuple[Merged, ...] = ()
    unit_range: bool = False


def merged_columns(numbers: np.ndarray[Any, Any]) -> tuple[Merged, ...]:
    """Columns of the inputs [n, ...] of whose distinct values float32 loses one in a hundred or more: numbers of full
    precision that are spread out lose fewer. Among the first rows, of at most `NUMBERS_COMPARED` numbers; the first
    `MOST_MERGED` columns."""
    if numbers.dtype.kind not in "iuf" or numbers.dtype.itemsize < 4 or numbers.dtype == np.float32 or 0 in numbers.shape:
        return ()
    columns = numbers[: max(1, NUMBERS_COMPARED // numbers[0].size)].reshape(-1, numbers[0].size)
    stored, read = _num_distinct(columns), _num_distinct(as_float32(columns))
    lossy = np.flatnonzero(read < _KEPT * stored)[:MOST_MERGED]
    return tuple(Merged(int(index), int(stored[index]), int(read[index])) for index in lossy)


def as_float32(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers in float32; infinite where they are too large, which is refused where their place is known."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def _num_distinct(columns: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Distinct values of each column."""
    ordered = np.sort(columns, axis=0)
    distinct: np.ndarray[Any, Any] = 1 + (ordered[1:] != ordered[:-1]).sum(axis=0)  # no difference: infinities have none
    return distinct
