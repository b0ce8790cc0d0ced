"""`.parquet` tables of a user's examples: one example a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ewc_core.data.layout import FILE_FIELD, require_bearable_size
from ewc_core.errors import SpecError, StateFormatError

_SPLIT = "split"
_NUMBERS_AT_ONCE = 2**22


@dataclass(frozen=True)
class _Columns:
    """What each column of a table is for, and the dtypes that hold all features and all targets."""

    features: list[str]
    targets: list[str]
    has_split: bool
    inputs_dtype: np.dtype[Any]
    targets_dtype: np.dtype[Any]


def read_parquet(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The table's examples as arrays, in the order of its rows.

    Column `target`, or `target_0`, `target_1`, ... are the targets, [n] or [n, columns]. An optional column `split` says
    "train" or "test". Every other column, in the table's order, is a feature: inputs [n, features], uint8 if all columns
    are, else float32.

    Raises:
        OSError: the file cannot be opened.
        StateFormatError: not a parquet file, or damaged.
        SpecError: columns are missing, empty in places, not numbers, or the table is too large.
    """
    import pyarrow  # here: the import takes a moment, and jobs without such a file do not need it
    from pyarrow import parquet

    with path.open("rb") as stream:
        try:
            file = parquet.ParquetFile(stream, page_checksum_verification=True)
            columns = _columns(file.schema_arrow, path.name)
            num_rows = file.metadata.num_rows
            sizes = {
                "features": num_rows * len(columns.features) * columns.inputs_dtype.itemsize,
                "targets": num_rows * len(columns.targets) * columns.targets_dtype.itemsize,
            }
            require_bearable_size(sizes, where=path.name, field=FILE_FIELD)
            return _read(file, columns, num_rows, path.name)
        except (pyarrow.ArrowException, OSError) as error:  # the library raises OSError for damaged pages too
            raise StateFormatError(f"{path.name}: not a readable parquet file: {error}") from error


def _columns(schema: Any, where: str) -> _Columns:
    from pyarrow import types

    names: list[str] = schema.names
    if len(set(names)) != len(names):
        raise SpecError(f"{where}: column names are not unique: {names}", field=FILE_FIELD)
    targets = _target_columns(names, where)
    features = [name for name in names if name != _SPLIT and name not in targets]
    if not features:
        raise SpecError(f"{where} has no feature: every column but targets and {_SPLIT!r} is one", field=FILE_FIELD)
    kinds = {name: schema.field(name).type for name in (*features, *targets)}
    for name, kind in kinds.items():
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise SpecError(f"{where}: column {name!r} has type {kind}, expected numbers or booleans", field=FILE_FIELD)
    only_bytes = all(types.is_uint8(kinds[name]) for name in features)
    real_targets = any(types.is_floating(kinds[name]) for name in targets)
    return _Columns(
        features,
        targets,
        has_split=_SPLIT in names,
        inputs_dtype=np.dtype(np.uint8 if only_bytes else np.float32),
        targets_dtype=np.dtype(np.float64 if real_targets else np.int64),
    )


def _target_columns(names: list[str], where: str) -> list[str]:
    found = [name for name in names if name.startswith("target_") and name.removeprefix("target_").isdecimal()]
    numbered = [f"target_{index}" for index in range(len(found))]
    if "target" in names and not found:
        return ["target"]
    if "target" in names or not found or set(found) != set(numbered):
        have = [name for name in names if name == "target" or name in found]
        raise SpecError(
            f"{where} needs a column 'target', or 'target_0', 'target_1', ...; of these it has {have}", field=FILE_FIELD
        )
    return numbered


def _read(file: Any, columns: _Columns, num_rows: int, where: str) -> dict[str, np.ndarray[Any, Any]]:
    """Fill arrays of `num_rows` rows batch by batch, so that no more is read than the file's metadata announce."""
    inputs = np.empty((num_rows, len(columns.features)), columns.inputs_dtype)
    targets = np.empty((num_rows, len(columns.targets)), columns.targets_dtype)
    is_test = np.zeros(num_rows, dtype=np.bool_)
    names = [*columns.features, *columns.targets, *([_SPLIT] if columns.has_split else [])]
    start = 0
    for batch in file.iter_batches(batch_size=max(1, _NUMBERS_AT_ONCE // len(names)), columns=names):
        stop = start + batch.num_rows
        if stop > num_rows:
            break
        for array, its_columns in ((inputs, columns.features), (targets, columns.targets)):
            for place, name in enumerate(its_columns):
                array[start:stop, place] = _numbers(batch, name, array.dtype, where)
        if columns.has_split:
            is_test[start:stop] = _is_test(batch, where)
        start = stop
    if start != num_rows:
        raise StateFormatError(f"{where}: its metadata announce {num_rows} rows, which are not there")
    if columns.targets == ["target"]:
        targets = targets[:, 0]
    if not columns.has_split:
        return {"inputs": inputs, "targets": targets}
    train = {"train_inputs": inputs[~is_test], "train_targets": targets[~is_test]}
    return {**train, "test_inputs": inputs[is_test], "test_targets": targets[is_test]}


def _numbers(batch: Any, name: str, dtype: np.dtype[Any], where: str) -> np.ndarray[Any, Any]:
    column = batch.column(name)
    if column.null_count:
        raise SpecError(f"{where}: column {name!r} has empty cells", field=FILE_FIELD)
    with np.errstate(over="ignore"):  # becomes infinite, which is refused later with its place
        numbers: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False).astype(dtype)
    return numbers


def _is_test(batch: Any, where: str) -> list[bool]:
    values = batch.column(_SPLIT).to_pylist()
    unknown = [value for value in values if value not in ("train", "test")]
    if unknown:
        raise SpecError(f"{where}: column {_SPLIT!r} must say 'train' or 'test', found {unknown[0]!r}", field=FILE_FIELD)
    return [value == "test" for value in values]
