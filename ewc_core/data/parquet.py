"""`.parquet` tables of a user's examples: one example a row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ewc_core.data.as_stored import AsStored, Merged, as_float32, merged_columns
from ewc_core.data.layout import FILE_FIELD, require_bearable_size
from ewc_core.errors import SpecError, StateFormatError

_SPLIT = "split"
_NUMBERS_AT_ONCE = 2**22
_MOST_LISTED = 20  # columns in a message
_TECHNICAL = re.compile(
    r"__index_level_\d+__|__null_dask_index__|__(fragment|batch)_index|__last_in_fragment|__filename|__row_index__"
)
"""pandas, Dask and Arrow's data sets; the names remain where another program has copied the table without its metadata."""


@dataclass(frozen=True)
class _Columns:
    """What each column of a table is for, the features' `dtype` in the file, and the dtypes that hold all features and all
    targets."""

    features: list[str]
    targets: list[str]
    left_out: list[str]
    has_split: bool
    dtype: str
    inputs_dtype: np.dtype[Any]
    targets_dtype: np.dtype[Any]


def read_parquet(data: bytes, where: str, *, keep_index: bool = False) -> tuple[dict[str, np.ndarray[Any, Any]], AsStored]:
    """The table's examples as arrays, in the order of its rows, and what is known of its columns.

    Column `target`, or `target_0`, `target_1`, ... are the targets, [n] or [n, columns]. An optional column `split` says
    "train" or "test". Every other column, in the table's order, is a feature: inputs [n, features], uint8 if all columns
    are, else float32. Left out are the columns that the file's pandas metadata name as index, and those by which known
    writers note where a row stood; none with `keep_index`. `where` is the file's name in messages.

    Raises:
        StateFormatError: not a parquet file, or damaged.
        SpecError: columns are missing, empty in places, not numbers, or the table is too large.
    """
    import pyarrow  # here: the import takes a moment, and jobs without such a file do not need it
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(data), page_checksum_verification=True)
        columns = _columns(file.schema_arrow, where, keep_index)
        num_rows = file.metadata.num_rows
        sizes = {
            "features": num_rows * len(columns.features) * columns.inputs_dtype.itemsize,
            "targets": num_rows * len(columns.targets) * columns.targets_dtype.itemsize,
        }
        require_bearable_size(sizes, where=where, field=FILE_FIELD)
        return _read(file, columns, num_rows, where)
    except (pyarrow.ArrowException, OSError) as error:  # the library raises OSError for damaged pages too
        raise StateFormatError(f"{where}: not a readable parquet file: {error}") from error


def _columns(schema: Any, where: str, keep_index: bool) -> _Columns:
    from pyarrow import types

    names: list[str] = schema.names
    if len(set(names)) != len(names):
        raise SpecError(f"{where}: column names are not unique: {names}", field=FILE_FIELD)
    targets = _target_columns(names, where)
    untargeted = [name for name in names if name != _SPLIT and name not in targets]
    index = _pandas_index(schema.metadata or {})
    left_out = [] if keep_index else [name for name in untargeted if name in index or _TECHNICAL.fullmatch(name)]
    features = [name for name in untargeted if name not in left_out]
    if not features:
        raise SpecError(
            f"{where} has no feature: every column but targets, {_SPLIT!r} and the table's index {left_out} is one",
            field=FILE_FIELD,
        )
    kinds = {name: schema.field(name).type for name in (*features, *targets)}
    others = [
        f"column {name!r} has type {kind}"
        for name, kind in kinds.items()
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))
    ]
    if others:
        raise SpecError(f"{where}: {', '.join(others[:_MOST_LISTED])}; expected numbers or booleans", field=FILE_FIELD)
    only_bytes = all(types.is_uint8(kinds[name]) for name in features)
    real_targets = any(types.is_floating(kinds[name]) for name in targets)
    return _Columns(
        features,
        targets,
        left_out,
        has_split=_SPLIT in names,
        dtype=", ".join(sorted({str(kinds[name]) for name in features})),
        inputs_dtype=np.dtype(np.uint8 if only_bytes else np.float32),
        targets_dtype=np.dtype(np.float64 if real_targets else np.int64),
    )


def _pandas_index(metadata: Mapping[bytes, bytes]) -> set[str]:
    """Columns that were a DataFrame's index; a counted one is a dict there, and no column. Metadata of another form name
    none."""
    try:
        named = json.loads(metadata.get(b"pandas", b"{}"))["index_columns"]
    except (ValueError, KeyError, TypeError):
        return set()
    return {name for name in named if isinstance(name, str)} if isinstance(named, list) else set()


def _target_columns(names: list[str], where: str) -> list[str]:
    found = [name for name in names if name.startswith("target_") and name.removeprefix("target_").isdecimal()]
    numbered = [f"target_{index}" for index in range(len(found))]
    if "target" in names and not found:
        return ["target"]
    if "target" in names or not found or set(found) != set(numbered):
        have = [name for name in names if name == "target" or name in found]
        others = [name for name in names if name not in have][:_MOST_LISTED]
        raise SpecError(
            f"{where} needs a column 'target', or 'target_0', 'target_1', ...; of these it has {have}, of others {others}",
            field=FILE_FIELD,
        )
    return numbered


def _read(file: Any, columns: _Columns, num_rows: int, where: str) -> tuple[dict[str, np.ndarray[Any, Any]], AsStored]:
    """Fill arrays of `num_rows` rows batch by batch, so that no more is read than the file's metadata announce."""
    inputs = np.empty((num_rows, len(columns.features)), columns.inputs_dtype)
    targets = np.empty((num_rows, len(columns.targets)), columns.targets_dtype)
    is_test = np.zeros(num_rows, dtype=np.bool_)
    names = [*columns.features, *columns.targets, *([_SPLIT] if columns.has_split else [])]
    start = 0
    merged: list[Merged] = []
    for batch in file.iter_batches(batch_size=max(1, _NUMBERS_AT_ONCE // len(names)), columns=names):
        stop = start + batch.num_rows
        if stop > num_rows:
            break
        for place, name in enumerate(columns.features):
            stored = _numbers(batch, name, where)
            inputs[start:stop, place] = _as(columns.inputs_dtype, stored)
            if start == 0 and (found := merged_columns(stored[:, None])):
                merged.append(replace(found[0], column=place))
        for place, name in enumerate(columns.targets):
            targets[start:stop, place] = _as(columns.targets_dtype, _numbers(batch, name, where))
        if columns.has_split:
            is_test[start:stop] = _is_test(batch, where)
        start = stop
    if start != num_rows:
        raise StateFormatError(f"{where}: its metadata announce {num_rows} rows, which are not there")
    if columns.targets == ["target"]:
        targets = targets[:, 0]
    known = AsStored(columns.dtype, tuple(columns.features), tuple(columns.left_out), tuple(merged))
    if not columns.has_split:
        return {"inputs": inputs, "targets": targets}, known
    train = {"train_inputs": inputs[~is_test], "train_targets": targets[~is_test]}
    return {**train, "test_inputs": inputs[is_test], "test_targets": targets[is_test]}, known


def _numbers(batch: Any, name: str, where: str) -> np.ndarray[Any, Any]:
    column = batch.column(name)
    if column.null_count:
        raise SpecError(f"{where}: column {name!r} has empty cells", field=FILE_FIELD)
    numbers: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
    return numbers


def _as(dtype: np.dtype[Any], numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return as_float32(numbers) if dtype == np.float32 else numbers.astype(dtype)


def _is_test(batch: Any, where: str) -> list[bool]:
    values = batch.column(_SPLIT).to_pylist()
    unknown = [value for value in values if value not in ("train", "test")]
    if unknown:
        raise SpecError(f"{where}: column {_SPLIT!r} must say 'train' or 'test', found {unknown[0]!r}", field=FILE_FIELD)
    return [value == "test" for value in values]
