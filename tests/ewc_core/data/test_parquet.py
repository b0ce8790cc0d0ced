"""Users' `.parquet` tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch
from pyarrow import parquet

from ewc_core.data.arrays import load_arrays
from ewc_core.errors import SpecError, StateFormatError
from ewc_core.specs import ArraysDataset, LikelihoodName
from tests.ewc_core.data.arrays_of import load


def write_table(path: Path, columns: dict[str, Any], *, metadata: dict[str, str] | None = None, **options: Any) -> None:
    """A table file with these columns, and with `metadata` of its schema."""
    parquet.write_table(pyarrow.table(columns).replace_schema_metadata(metadata), path, **options)


def _write(folder: Path, columns: dict[str, Any], **options: Any) -> None:
    write_table(folder / "own.parquet", columns, **options)


def test_columns_become_features_in_their_order_and_rows_examples(tmp_path: Path) -> None:
    split = ["train", "test", "train", "train"]
    _write(
        tmp_path, {"b": [1.5, 2.5, 3.5, 4.5], "target": [0, 1, 1, 0], "a": [1, 2, 3, -4], "split": split, "c": [True, False] * 2}
    )
    source = load(tmp_path, "own.parquet")
    assert source.train_inputs.tolist() == [[1.5, 1.0, 1.0], [3.5, 3.0, 1.0], [4.5, -4.0, 0.0]]
    assert source.test_inputs.tolist() == [[2.5, 2.0, 0.0]]
    assert source.train_targets.tolist() == [0, 1, 0]
    assert (source.num_outputs, source.input_shape, source.largest) == (2, (3,), None)


def test_without_a_split_column_a_fixed_fifth_is_held_out(tmp_path: Path) -> None:
    _write(tmp_path, {"x": list(range(10)), "target": [0, 1] * 5})
    source = load(tmp_path, "own.parquet")
    assert sorted(source.train_inputs.flatten().tolist() + source.test_inputs.flatten().tolist()) == list(range(10))
    assert len(source.test_targets) == 2


def test_numbered_targets_are_ordered_by_their_number(tmp_path: Path) -> None:
    names = [f"target_{index}" for index in range(11)]
    _write(tmp_path, {"x": [0.0, 1.0], **{name: [float(name[7:]), -1.0] for name in reversed(names)}, "split": ["train", "test"]})
    source = load(tmp_path, "own.parquet", likelihood=LikelihoodName.GAUSSIAN)
    assert source.train_targets.tolist() == [[float(index) for index in range(11)]]
    assert source.num_outputs == 11


def test_one_numbered_target_is_a_column_of_targets(tmp_path: Path) -> None:
    _write(tmp_path, {"x": [0.0, 1.0], "target_0": [0.5, 2.0]})
    assert load(tmp_path, "own.parquet", likelihood=LikelihoodName.GAUSSIAN).train_targets.shape == (1, 1)


def test_a_table_of_bytes_stays_bytes_and_one_of_bytes_and_numbers_does_not(tmp_path: Path) -> None:
    a, b = pyarrow.array([0, 128, 255], pyarrow.uint8()), [1, 2, 3]
    _write(tmp_path, {"a": a, "b": pyarrow.array(b, pyarrow.uint8()), "target": [0, 1, 0]})
    assert load(tmp_path, "own.parquet").largest == 255
    _write(tmp_path, {"a": a, "b": b, "target": [0, 1, 0]})
    source = load(tmp_path, "own.parquet")
    assert source.largest is None
    assert source.train_inputs.max() > 1


def test_a_table_is_the_same_however_it_is_stored_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"x": np.arange(1000.0), "y": np.arange(1000) % 7, "target": np.arange(1000) % 3, "split": ["train", "test"] * 500}
    _write(tmp_path, columns)
    first = load(tmp_path, "own.parquet")
    _write(tmp_path, columns, row_group_size=64, compression="gzip", use_dictionary=False)
    monkeypatch.setattr("ewc_core.data.parquet._NUMBERS_AT_ONCE", 100)
    second = load(tmp_path, "own.parquet")
    assert torch.equal(first.train_inputs, second.train_inputs)
    assert torch.equal(first.test_targets, second.test_targets)
    assert first.train_inputs[:, 0].tolist() == list(range(0, 1000, 2))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": [1.0, 2.0]}, r"needs a column 'target', or 'target_0', .*; of these it has \[\]"),
        ({"x": [1.0, 2.0], "target": [0, 1], "target_0": [0, 1]}, r"it has \['target', 'target_0'\]"),
        ({"x": [1.0, 2.0], "target_0": [0, 1], "target_2": [0, 1]}, r"it has \['target_0', 'target_2'\]"),
        ({"target": [0, 1], "split": ["train", "test"]}, "has no feature"),
        ({"x": [1.0, 2.0], "label": [0, 1]}, r"of these it has \[\], of others \['x', 'label'\]"),
        ({"x": ["a", "b"], "target": [0, 1]}, "column 'x' has type string; expected numbers or booleans"),
        (
            {"x": ["a", "b"], "y": [1.0, 2.0], "z": ["a", "b"], "target": [0, 1]},
            "column 'x' has type string, column 'z' has type string; expected numbers",
        ),
        ({"x": [1.0, None], "target": [0, 1]}, "column 'x' has empty cells"),
        ({"x": [1.0, float("nan")], "target": [0, 1]}, "nan at"),
        ({"x": [1.0, 1e300], "target": [0, 1]}, "must be finite in float32"),
        ({"x": [1.0, 2.0], "target": [0, None]}, "column 'target' has empty cells"),
        (
            {"x": [1.0, 2.0], "target": [0.0, 1.0]},
            "targets are torch.float64, expected integer labels for likelihood 'categorical'; real numbers need 'gaussian'",
        ),
        ({"x": [1.0, 2.0], "target": [0, 1], "split": ["train", "validation"]}, "found 'validation'"),
        ({"x": [1.0, 2.0], "target": [0, 1], "split": ["train", None]}, "found None"),
        ({"x": [1.0, 2.0], "target": [0, 1], "split": ["train", "train"]}, r"test_inputs has shape \[0, 1\]"),
        ({"x": pyarrow.array([], pyarrow.float32()), "target": pyarrow.array([], pyarrow.int64())}, r"inputs has shape \[0, 1\]"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    _write(tmp_path, columns)
    with pytest.raises(SpecError, match=rf"^own\.parquet.*{message}") as error:
        load(tmp_path, "own.parquet")
    assert error.value.field == "dataset.path"


def test_column_names_must_be_unique(tmp_path: Path) -> None:
    table = pyarrow.table([[1.0], [2.0], [0]], names=["x", "x", "target"])
    parquet.write_table(table, tmp_path / "own.parquet")
    with pytest.raises(SpecError, match="column names are not unique"):
        load(tmp_path, "own.parquet")


def test_a_large_table_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ewc_core.data.layout.MAX_BYTES", 1000)
    monkeypatch.setattr("ewc_core.data.parquet._read", None)
    _write(tmp_path, {"x": np.zeros(100), "target": np.zeros(100, int)})
    with pytest.raises(SpecError, match="announces arrays of 1200 bytes; at most 1000 are read"):
        load(tmp_path, "own.parquet")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, {"x": np.arange(100.0), "target": np.arange(100) % 2}, compression="none", use_dictionary=False)
    content = (tmp_path / "own.parquet").read_bytes()
    for damaged in (b"", b"PAR1", content[:-20], content[: len(content) // 2], b"\x00" * 40 + content[40:]):
        (tmp_path / "own.parquet").write_bytes(damaged)
        with pytest.raises(StateFormatError, match=r"^own\.parquet: not a readable parquet file"):
            load(tmp_path, "own.parquet")


def test_flipped_bits_are_noticed_where_pages_have_checksums(tmp_path: Path) -> None:
    numbers = np.arange(100.0)
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    _write(tmp_path, {"x": numbers, "target": np.arange(100) % 2}, **options)
    content = (tmp_path / "own.parquet").read_bytes()
    damaged = content.replace(numbers.tobytes(), numbers[::-1].tobytes())
    assert damaged != content
    (tmp_path / "own.parquet").write_bytes(damaged)
    with pytest.raises(StateFormatError, match=r"not a readable parquet file.*CRC"):
        load(tmp_path, "own.parquet")


def _pandas(*index_columns: object) -> dict[str, str]:
    return {"pandas": json.dumps({"index_columns": list(index_columns), "columns": [], "pandas_version": "2.2.0"})}


@pytest.mark.parametrize(
    ("index", "metadata"),
    [
        (["__index_level_0__"], _pandas("__index_level_0__")),
        (["__index_level_0__", "__index_level_1__"], _pandas("__index_level_0__", "__index_level_1__")),
        (["day", "sensor"], _pandas("day", "sensor")),
        ([], _pandas({"kind": "range", "name": None, "start": 0, "stop": 6, "step": 1})),
        (["__index_level_0__"], None),
        (["__null_dask_index__"], _pandas("__null_dask_index__")),
        (["__null_dask_index__"], None),
        (["__fragment_index", "__batch_index", "__last_in_fragment"], None),
    ],
)
def test_the_index_of_a_frame_is_left_out_and_told(tmp_path: Path, index: list[str], metadata: dict[str, str] | None) -> None:
    columns = {"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "target": [0, 1, 0, 1, 0, 1]}
    _write(tmp_path, {**columns, **{name: [7, 3, 9, 1, 4, 2] for name in index}}, metadata=metadata)
    source = load(tmp_path, "own.parquet")
    assert (source.input_shape, source.stored.columns, source.stored.left_out) == ((1,), ("x",), tuple(index))


def test_an_index_of_text_or_dates_is_no_obstacle(tmp_path: Path) -> None:
    days = pyarrow.array([1, 2, 3, 4], pyarrow.timestamp("ns"))
    columns = {"x": [1.0, 2.0, 3.0, 4.0], "target": [0, 1, 0, 1], "day": days, "who": ["a", "b", "c", "d"]}
    _write(tmp_path, columns, metadata=_pandas("day", "who"))
    assert load(tmp_path, "own.parquet").stored.left_out == ("day", "who")


def test_targets_and_the_split_keep_their_meaning_where_they_were_the_index(tmp_path: Path) -> None:
    columns = {"x": [1.0, 2.0, 3.0], "target": [0, 1, 0], "split": ["train", "train", "test"]}
    _write(tmp_path, columns, metadata=_pandas("target", "split"))
    source = load(tmp_path, "own.parquet")
    assert (source.train_targets.tolist(), source.test_targets.tolist(), source.stored.left_out) == ([0, 1], [0], ())


def test_a_table_of_nothing_but_an_index_has_no_feature(tmp_path: Path) -> None:
    _write(tmp_path, {"target": [0, 1], "__index_level_0__": [5, 6]}, metadata=_pandas("__index_level_0__"))
    with pytest.raises(SpecError, match=r"has no feature: .*'__index_level_0__'"):
        load(tmp_path, "own.parquet")


@pytest.mark.parametrize("pandas", ["", "[]", "null", "{}", '{"index_columns": 3}', '{"index_columns": [["x"], null]}', "{"])
def test_metadata_of_another_form_name_no_index(tmp_path: Path, pandas: str) -> None:
    _write(tmp_path, {"x": [1.0, 2.0], "target": [0, 1]}, metadata={"pandas": pandas})
    assert load(tmp_path, "own.parquet").stored.left_out == ()


def test_for_a_job_of_before_specs_had_versions_the_index_is_the_feature_that_it_was(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {"x": [0.5, 1.5, 2.5], "target": [0, 1, 0], "__index_level_0__": [7, 8, 9]},
        metadata=_pandas("__index_level_0__"),
    )
    source = load_arrays(ArraysDataset(path="own.parquet"), tmp_path, spec_version=1)
    assert (source.stored.columns, source.stored.left_out) == (("x", "__index_level_0__"), ())
