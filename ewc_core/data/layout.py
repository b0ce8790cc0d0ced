"""Which arrays make a data source, by name, and how much of them is read."""

from __future__ import annotations

from collections.abc import Mapping

from ewc_core.errors import SpecError

FILE_FIELD = "dataset.path"  # what an error about a user's file is about
MAX_BYTES = 4 * 2**30
MAX_FILE_BYTES = 2 * MAX_BYTES  # a table may hold numbers of 8 bytes, which take 4 in memory
ALL_ARRAYS = ("train_inputs", "train_targets", "test_inputs", "test_targets")
LAYOUTS = (frozenset(ALL_ARRAYS), frozenset(ALL_ARRAYS[:2]), frozenset({"inputs", "targets"}))


def require_layout(names: set[str], *, where: str, field: str) -> None:
    """Refuse sets of array names that are not one of `LAYOUTS`.

    Raises:
        SpecError: at `field`; unknown names too, because a misspelt test set would otherwise go unnoticed.
    """
    if names not in LAYOUTS:
        named = [[name for name in (*ALL_ARRAYS, "inputs", "targets") if name in layout] for layout in LAYOUTS]
        expected = "; or ".join(f"{', '.join(first)} and {last}" for *first, last in named)
        raise SpecError(f"{where} holds arrays {sorted(names)}; expected {expected}", field=field)


def require_bearable_size(sizes: Mapping[str, int], *, where: str, field: str) -> None:
    """Refuse arrays that together take more than `MAX_BYTES`; `sizes` are bytes in memory by array name.

    Raises:
        SpecError: at `field`.
    """
    total = sum(sizes.values())
    if total > MAX_BYTES:
        raise SpecError(f"{where} announces arrays of {total} bytes; at most {MAX_BYTES} are read", field=field)
