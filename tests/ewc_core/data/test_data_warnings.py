"""What is said of data that are almost surely not what was meant, and that nothing is said of good ones."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from ewc_core.data import Sources
from ewc_core.data.as_read import data_as_read
from ewc_core.data.checked import checked_source
from ewc_core.data.data_warnings import data_warnings, scales_differ
from ewc_core.data.input_facts import InputFacts
from ewc_core.data.sources import Part
from ewc_core.data.task_data import TaskData
from ewc_core.specs import LikelihoodName, TaskSpec

_TASK: TypeAdapter[TaskSpec] = TypeAdapter(TaskSpec)
_RNG = np.random.default_rng(0)
_NORMAL = _RNG.normal(size=(100, 4))
_TWO = np.arange(100) % 2


def _data(likelihood: LikelihoodName = LikelihoodName.CATEGORICAL, **arrays: Any) -> TaskData:
    return _task_of({"inputs": _NORMAL, "targets": _TWO} | arrays, likelihood)


def _task_of(arrays: dict[str, Any], likelihood: LikelihoodName = LikelihoodName.CATEGORICAL) -> TaskData:
    source = checked_source(arrays, likelihood, where="own.npz", field="dataset.path")
    train = Part(source.train_inputs.flatten(1), source.train_targets, None)
    test = Part(source.test_inputs.flatten(1), source.test_targets, None)
    nothing = Part(train.inputs, train.targets, torch.empty(0, dtype=torch.int64))
    return TaskData(source, {"train": train, "validation": nothing, "test": test})


def _found(data: TaskData) -> dict[str, str]:
    return {warning.code: warning.message for warning in data_warnings(data, InputFacts.of(data.source))}


def _with(column: int, values: Any) -> np.ndarray[Any, Any]:
    changed = _NORMAL.copy()
    changed[:, column] = values
    return changed


_PICTURES = _RNG.integers(0, 256, size=(100, 8, 8, 3)).astype(np.uint8)
_SUSPICIOUS: list[tuple[str, str, dict[str, Any]]] = [
    ("small_bytes", "at most 1, and uint8 is divided by 255", {"inputs": (_NORMAL > 0).astype(np.uint8)}),
    ("small_bytes", "at most 9", {"inputs": _RNG.integers(0, 10, size=(100, 4)).astype(np.uint8)}),
    ("channels_last", r"8 channels of 8x3; .* stored as \[3, 8, 8\]", {"inputs": _PICTURES}),
    ("channels_last", r"stored as \[1, 8, 8\]", {"inputs": _PICTURES[..., :1]}),
    ("inputs_far_from_unit_scale", "in column '2'; scale them", {"inputs": _with(2, _NORMAL[:, 2] * 1e4)}),
    ("inputs_far_from_unit_scale", r"up to \d\.\d+e\+04 in columns '1', '2';", {"inputs": _NORMAL * [1.0, 200.0, 1e4, 1.0]}),
    ("inputs_far_from_unit_scale", "largest input is 0.0", {"inputs": _NORMAL * 1e-3}),
    ("columns_merged", "of column '1' become 1;", {"inputs": _with(1, 1.7e9 + np.arange(100) % 50)}),
    ("columns_merged", "of column '0' become", {"inputs": (1_700_000_000 + np.arange(400).reshape(100, 4) % 97)}),
    ("columns_merged", "of column '3' become 1;", {"inputs": _with(3, 1e8 + _NORMAL[:, 3])}),
    ("constant_columns", "3 of 4 inputs have one value", {"inputs": _NORMAL * [0.0, 0.0, 1.0, 0.0]}),
    ("row_numbers", "column '0' only numbers the", {"inputs": _with(0, np.arange(100))}),
    ("row_numbers", "column '0' only number", {"inputs": _with(0, 1 + _RNG.permutation(100))}),
    ("target_among_inputs", "column '3' is the target", {"inputs": _with(3, _TWO)}),
    ("class_with_one_example", "class 2 with one example", {"targets": np.array([0, 1] * 49 + [0, 2])}),
    ("targets_like_numbers", "50 classes for 50 training", {"targets": np.r_[np.arange(50), np.arange(50)]}),
]


@pytest.mark.parametrize(
    ("code", "message", "arrays"), _SUSPICIOUS, ids=[f"{code}-{i}" for i, (code, _, _) in enumerate(_SUSPICIOUS)]
)
def test_what_is_suspicious_is_said_with_what_to_do(code: str, message: str, arrays: dict[str, Any]) -> None:
    found = _found(_data(**arrays))
    assert code in found
    assert re.search(message, found[code]), found[code]


def test_a_class_without_training_or_without_test_examples_is_said() -> None:
    train = {"train_inputs": _NORMAL[:60], "train_targets": _TWO[:60]}
    data = _task_of({**train, "test_inputs": _NORMAL[60:], "test_targets": _TWO[60:] * 2})
    messages = [warning.message for warning in data_warnings(data, InputFacts.of(data.source)) if warning.code == "class_missing"]
    assert messages == [
        "class 2 without any training example, though other parts have some",
        "class 1 without any test example, though other parts have some",
    ]


def test_a_label_that_no_training_example_has_is_said() -> None:
    targets = np.stack([_TWO, np.zeros(100)], axis=1)
    assert (
        "no training example has target 1 in column '1'"
        in _found(_data(LikelihoodName.BERNOULLI, targets=targets))["class_missing"]
    )


def test_real_targets_of_any_unit_are_said() -> None:
    assert "targets from" in _found(_data(LikelihoodName.GAUSSIAN, targets=_NORMAL[:, 0] * 1e5))["targets_far_from_unit_scale"]
    assert "targets from" in _found(_data(LikelihoodName.GAUSSIAN, targets=_NORMAL[:, 0] * 1e-4))["targets_far_from_unit_scale"]
    assert "all training targets are 3" in _found(_data(LikelihoodName.GAUSSIAN, targets=np.full(100, 3.0)))["constant_targets"]
    assert _found(_data(LikelihoodName.GAUSSIAN, targets=_NORMAL[:, :2] + _NORMAL[:, 2:])) == {}


def test_test_examples_on_another_scale_than_training_examples_are_said() -> None:
    train = {"train_inputs": _NORMAL, "train_targets": _TWO}
    for factor, is_said in ((255.0, True), (1 / 255, True), (3.0, False)):
        data = _task_of({**train, "test_inputs": _NORMAL[:50] * factor, "test_targets": _TWO[:50]})
        assert ("splits_scaled_differently" in _found(data)) == is_said


def test_test_examples_out_of_the_training_set_are_said_but_not_where_rows_repeat_anyway() -> None:
    same = {"train_inputs": _NORMAL, "train_targets": _TWO, "test_inputs": _NORMAL[:30], "test_targets": _TWO[:30]}
    few_kinds = (_NORMAL > 0).astype(np.float32)
    for inputs, is_said in ((_NORMAL, True), (few_kinds, False)):
        data = _task_of({**same, "train_inputs": inputs, "test_inputs": inputs[:30]})
        assert ("test_in_training" in _found(data)) == is_said


def test_the_same_quantity_as_bytes_and_as_floats_is_said_once_they_meet() -> None:
    ones = _NORMAL > 0
    reads = [
        data_as_read(data, InputFacts.of(data.source))
        for data in (_data(inputs=ones.astype(kind)) for kind in (np.float32, np.uint8))
    ]
    found = scales_differ(reads[0], reads[1])
    assert found is not None
    assert (found.code, "uint8, divided by 255" in found.message) == ("tasks_scaled_differently", True)
    assert scales_differ(reads[0], reads[0]) is None


_GOOD = [
    {"dataset": "digits"},
    {"dataset": "digits", "permutation": 3},
    {"kind": "rotated", "dataset": "digits", "degrees": 30},
    {"kind": "split", "dataset": "digits", "classes": [0, 1]},
    {"kind": "split", "dataset": "digits", "classes": [8]},
    {"dataset": "mnist"},
    {"dataset": "mnist", "permutation": 1, "square": 8},
    {"kind": "split", "dataset": "mnist", "classes": [8, 9]},
]


@pytest.fixture(scope="module")
def sources() -> Sources:
    folder = os.environ.get("EWC_DATA_DIR")
    return Sources(None if folder is None else Path(folder))


@pytest.mark.parametrize("spec", _GOOD, ids=str)
@pytest.mark.parametrize("num_validation", [0, 100])
def test_nothing_is_said_of_the_data_sets_that_come_along(sources: Sources, spec: dict[str, Any], num_validation: int) -> None:
    if spec["dataset"] == "mnist" and not (Path(os.environ.get("EWC_DATA_DIR", "/nowhere")) / "mnist").is_dir():
        pytest.skip("MNIST's IDX files are not in EWC_DATA_DIR")
    data = sources.task(_TASK.validate_python(spec), num_validation_examples=num_validation)
    assert data_warnings(data, sources.input_facts(data.source)) == ()


def test_nothing_is_said_of_ordinary_columns() -> None:
    ages, months = _RNG.integers(18, 90, 100), _RNG.integers(1, 13, 100)
    one_hot = np.eye(5)[_RNG.integers(0, 5, 100)]
    inputs = np.column_stack([_NORMAL, ages, months, one_hot])
    assert _found(_data(inputs=inputs)) == {}
    assert _found(_data(inputs=inputs.astype(np.float32), targets=np.arange(100) % 10)) == {}
    assert _found(_data(inputs=_PICTURES.transpose(0, 3, 1, 2).copy())) == {}
    assert _found(_data(inputs=_NORMAL > 0)) == {}
    sparse = np.zeros((100, 500), np.float32)
    sparse[np.arange(100), _RNG.integers(0, 500, 100)] = 1.0
    assert _found(_data(inputs=sparse)) == {}
