"""`.parquet` tables of a user's examples: one example a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ewc_core.data.layout import FILE_FIELD, require_bearable_size
from ewc_core.errors import SpecError, StateFormatError

_ROWS_AT_ONCE = 65536


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

    try:
        with parquet.ParquetFile(path) as file:
            columns = _Columns(file.schema_arrow, path.name)
            num_rows = file.metadata.num_rows
            size = num_rows * len(columns.features) * columns.inputs_dtype.itemsize
            size += num_rows * len(columns.targets) * columns.targets_dtype.itemsize
            require_bearable_size({"table": size}, where=path.name, field=FILE_FIELD)
            return columns.read(file, num_rows)
    except pyarrow.ArrowException as error:
        raise StateFormatError(f"{path.name}: not a readable parquet file: {error}") from error


class _Columns:
    """What each column of a table is for."""

    def __init__(self, schema: Any, where: str) -> None:
        import pyarrow

        self._where = where
        names: list[str] = schema.names
        if len(set(names)) != len(names):
            raise self._refusal(f"column names are not unique: {names}")
        self.targets = [name for name in names if name == "target" or _is_numbered_target(name)]
        expected = [f"target_{index}" for index in range(len(self.targets))]
        if self.targets != ["target"] and (not self.targets or sorted(self.targets) != sorted(expected)):
            raise self._refusal(f"needs a column 'target', or 'target_0', 'target_1', ...; it has {self.targets} of these")
        self.targets.sort(key=expected.index if self.targets != ["target"] else None)
        self.has_split = "split" in names
        self.features = [name for name in names if name != "split" and name not in self.targets]
        if not self.features:
            raise self._refusal("has no column but targets and split; every other column is a feature")
        for name in (*self.features, *self.targets):
            kind = schema.field(name).type
            if not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)):
                raise self._refusal(f"column {name!r} has type {kind}, expected numbers or booleans")
        all_bytes = all(pyarrow.types.is_uint8(schema.field(name).type) for name in self.features)
        self.inputs_dtype = np.dtype(np.uint8 if all_bytes else np.float32)
        floating = any(pyarrow.types.is_floating(schema.field(name).type) for name in self.targets)
        self.targets_dtype = np.dtype(np.float64 if floating else np.int64)

    def read(self, file: Any, num_rows: int) -> dict[str, np.ndarray[Any, Any]]:
        """Fill arrays of `num_rows` rows batch by batch; more rows than the file's metadata announce are not read."""
        inputs = np.empty((num_rows, len(self.features)), self.inputs_dtype)
        targets = np.empty((num_rows, len(self.targets)), self.targets_dtype)
        is_test = np.zeros(num_rows, dtype=np.bool_)
        start = 0
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=self._names):
            stop = start + batch.num_rows
            if stop > num_rows:
                raise StateFormatError(f"{self._where}: has more rows than the {num_rows} that its metadata announce")
            for place, name in enumerate(self.features):
                inputs[start:stop, place] = self._numbers(batch, name)
            for place, name in enumerate(self.targets):
                targets[start:stop, place] = self._numbers(batch, name)
            if self.has_split:
                is_test[start:stop] = self._is_test(batch)
            start = stop
        if start != num_rows:
            raise StateFormatError(f"{self._where}: has {start} rows, its metadata announce {num_rows}")
        if self.targets == ["target"]:
            targets = targets[:, 0]
        if not self.has_split:
            return {"inputs": inputs, "targets": targets}
        return {
            "train_inputs": inputs[~is_test],
            "train_targets": targets[~is_test],
            "test_inputs": inputs[is_test],
            "test_targets": targets[is_test],
        }

    @property
    def _names(self) -> list[str]:
        return [*self.features, *self.targets, *(["split"] if self.has_split else [])]

    def _numbers(self, batch: Any, name: str) -> np.ndarray[Any, Any]:
        column = batch.column(name)
        if column.null_count:
            raise self._refusal(f"column {name!r} has empty cells")
        numbers: np.ndarray[Any, Any] = column.to_numpy(zero_copy_only=False)
        return numbers

    def _is_test(self, batch: Any) -> list[bool]:
        values = batch.column("split").to_pylist()
        unknown = [value for value in values if value not in ("train", "test")]
        if unknown:
            raise self._refusal(f"column 'split' must say 'train' or 'test', found {unknown[0]!r}")
        return [value == "test" for value in values]

    def _refusal(self, message: str) -> SpecError:
        return SpecError(f"{self._where}: {message}", field=FILE_FIELD)


def _is_numbered_target(name: str) -> bool:
    prefix, _, number = name.partition("_")
    return prefix == "target" and number.isdecimal()
