"""Data as read, against the same counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from ewc_core.data import Sources, input_facts
from ewc_core.data.as_read import MergedColumn, Numbers, data_as_read, in_a_line
from ewc_core.specs import TaskSpec
from tests.ewc_core.data.test_parquet import write_table

_TASK: TypeAdapter[TaskSpec] = TypeAdapter(TaskSpec)


def test_digits_are_described_as_they_are() -> None:
    sources = Sources(None)
    data = sources.task(
        _TASK.validate_python({"kind": "split", "dataset": "digits", "classes": [7, 2]}), num_validation_examples=100
    )
    read = data_as_read(data, sources.input_facts(data.source))
    inputs = data.source.train_inputs.double() / 16
    assert (read.input_shape, read.dtype, read.scaling, read.likelihood) == ((1, 8, 8), "float64", "divided by 16", "categorical")
    assert read.inputs.mean == pytest.approx(float(inputs.mean()))
    assert read.inputs.standard_deviation == pytest.approx(float(inputs.std(correction=0)))
    assert (read.inputs.smallest, read.inputs.largest) == (0.0, 1.0)
    for split in ("train", "validation", "test"):
        labels = data.read_range(split, 0, data.num_examples(split))[1]
        assert read.num_examples[split] == len(labels)
        assert read.num_of_class[split] == ((labels == 0).sum(), (labels == 1).sum())
    assert read.num_constant_columns == len(read.constant_columns) == int((inputs.flatten(1).std(0) == 0).sum())


def test_the_columns_of_a_table_have_their_names(tmp_path: Path) -> None:
    seconds = 1_700_000_000 + np.arange(40)
    columns = {
        "time": seconds,
        "still": np.ones(40),
        "x": np.arange(40) / 40,
        "target": np.arange(40.0),
        "__index_level_0__": seconds,
    }
    write_table(tmp_path / "own.parquet", columns)
    dataset = {"kind": "arrays", "path": "own.parquet", "likelihood": "gaussian"}
    sources = Sources(tmp_path)
    data = sources.task(_TASK.validate_python({"kind": "plain", "dataset": dataset}))
    read = data_as_read(data, sources.input_facts(data.source))
    assert read.dtype == "double, int64"
    assert read.left_out_columns == ("__index_level_0__",)
    assert read.merged_columns == (MergedColumn("time", 40, 1),)
    assert set(read.constant_columns) == {"time", "still"}
    assert isinstance(read.targets, Numbers)
    assert in_a_line(read) == (
        "32 training and 8 test examples of 3 (double, int64 as they are, from 0 to 1.7e+09), 1 gaussian target, "
        "left out '__index_level_0__'"
    )


@pytest.mark.parametrize(
    ("num_of_class_1", "said"),
    [(11, "2 classes"), (4, "2 classes (96.0 % of the training examples are of class 0)")],
)
def test_classes_of_which_one_has_nearly_all_examples_are_told(tmp_path: Path, num_of_class_1: int, said: str) -> None:
    labels = np.arange(100) < num_of_class_1
    arrays = {"train_inputs": np.arange(100.0).reshape(-1, 1), "train_targets": labels.astype(int)}
    np.savez(tmp_path / "own.npz", test_inputs=np.zeros((2, 1)), test_targets=np.array([0, 1]), **arrays)
    sources = Sources(tmp_path)
    data = sources.task(_TASK.validate_python({"kind": "plain", "dataset": {"kind": "arrays", "path": "own.npz"}}))
    assert in_a_line(data_as_read(data, sources.input_facts(data.source))).endswith(said)


def test_of_large_data_evenly_spaced_examples_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_facts, "NUMBERS_LOOKED_AT", 64 * 100)
    sources = Sources(None)
    facts = sources.input_facts(sources.task(_TASK.validate_python({"dataset": "digits"})).source)
    assert facts.num_examples == len(range(0, 1437, 15))
    assert facts.repeats is None
