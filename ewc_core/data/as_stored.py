"""What a reader knows of a data set, and its tensors do not say any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

NUMBERS_COMPARED = 2**22
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
    """Columns of the inputs [n, ...] that float32 merges, among the first rows, of at most `NUMBERS_COMPARED` numbers."""
    if numbers.dtype.kind not in "iuf" or numbers.dtype.itemsize < 4 or numbers.dtype == np.float32 or 0 in numbers.shape:
        return ()
    columns = numbers[: max(1, NUMBERS_COMPARED // numbers[0].size)].reshape(-1, numbers[0].size)
    found = (merged_column(columns[:, index], index) for index in _inexact(columns))
    return tuple(merged for merged in found if merged is not None)


def merged_column(values: np.ndarray[Any, Any], index: int) -> Merged | None:
    """What float32 makes of one column's distinct values; None where it keeps nearly all of them apart, as it does with
    numbers of full precision that are spread out."""
    num_stored, num_read = len(np.unique(values)), len(np.unique(as_float32(values)))
    return Merged(index, num_stored, num_read) if num_read < _KEPT * num_stored else None


def as_float32(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The numbers in float32; infinite where they are too large, which is refused where their place is known."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def _inexact(columns: np.ndarray[Any, Any]) -> list[int]:
    """Columns with a number that float32 does not hold; no other can lose a distinction."""
    return [int(index) for index in np.flatnonzero((as_float32(columns).astype(columns.dtype) != columns).any(axis=0))]
