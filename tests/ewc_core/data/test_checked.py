"""Arrays of unknown origin, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ewc_core.data import DataSource
from ewc_core.data.checked import checked_source
from ewc_core.errors import SpecError
from ewc_core.specs import LikelihoodName
from tests.ewc_core.data.arrays_of import train_and_test

_CATEGORICAL = LikelihoodName.CATEGORICAL


def _check(likelihood: LikelihoodName = _CATEGORICAL, **changes: Any) -> DataSource:
    return checked_source(train_and_test(**changes), likelihood, where="own.npz", field="dataset.path")


def _both(inputs: Any) -> dict[str, Any]:
    return {"train_inputs": inputs, "test_inputs": inputs[:3]}


def test_labels_and_sizes_are_kept() -> None:
    source = _check()
    assert source.train_inputs.tolist() == train_and_test()["train_inputs"].tolist()
    assert source.test_targets.tolist() == [2, 1, 0]
    assert source.train_targets.dtype == torch.int64
    assert (source.num_outputs, source.input_shape, source.largest, source.likelihood) == (3, (2,), None, _CATEGORICAL)


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "int16", "int64", "uint16", "uint32", "bool", ">f8", ">i4"]
)
def test_numbers_of_any_type_become_float32_as_they_are(dtype: str) -> None:
    inputs = (np.arange(12).reshape(6, 2) % 2).astype(dtype)
    source = _check(**_both(inputs))
    assert source.train_inputs.dtype == torch.float32
    assert source.largest is None
    assert source.train_inputs.tolist() == inputs.astype(float).tolist()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.bool])
def test_tensors_of_any_type_become_float32_as_they_are(dtype: torch.dtype) -> None:
    inputs = (torch.arange(12).view(6, 2) % 2).to(dtype)
    assert torch.equal(_check(**_both(inputs)).train_inputs, inputs.float())


def test_bytes_stay_bytes_and_are_scaled_by_255() -> None:
    source = _check(**_both(np.arange(24, dtype=np.uint8).reshape(6, 2, 2)))
    assert source.train_inputs.dtype == torch.uint8
    assert (source.largest, source.input_shape) == (255, (2, 2))


def test_memory_order_and_read_only_arrays_make_no_difference() -> None:
    inputs = np.asfortranarray(np.arange(24.0, dtype=np.float32).reshape(6, 2, 2))
    inputs.flags.writeable = False
    source = _check(**_both(inputs))
    assert source.train_inputs.is_contiguous()
    assert source.train_inputs.flatten().tolist() == list(range(24))


def test_without_test_arrays_a_fixed_fifth_of_the_examples_is_held_out() -> None:
    inputs, targets = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10) % 2
    sources = [
        checked_source({"inputs": inputs, "targets": targets}, _CATEGORICAL, where="x", field="dataset"),
        _check(train_inputs=inputs, train_targets=targets, test_inputs=None, test_targets=None),
    ]
    for source in sources:
        assert (len(source.train_targets), len(source.test_targets)) == (8, 2)
        rows = source.train_inputs.tolist() + source.test_inputs.tolist()
        assert sorted(rows) == inputs.tolist()
        assert [int(row[0]) // 2 % 2 for row in rows] == source.train_targets.tolist() + source.test_targets.tolist()
    assert torch.equal(sources[0].test_inputs, sources[1].test_inputs)


@pytest.mark.parametrize("shape", [(6,), (6, 1), (6, 3)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_regression_targets_are_float32_columns(shape: tuple[int, ...], dtype: type) -> None:
    targets = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    source = _check(LikelihoodName.GAUSSIAN, train_targets=targets, test_targets=targets[:3])
    assert source.train_targets.dtype == torch.float32
    assert source.train_targets.tolist() == targets.reshape(6, -1).tolist()
    assert source.num_outputs == source.test_targets.shape[1] == targets.reshape(6, -1).shape[1]


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float32])
def test_multi_label_targets_are_float32_columns_of_0_and_1(dtype: type) -> None:
    targets = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1], [1, 1]]).astype(dtype)
    source = _check(LikelihoodName.BERNOULLI, train_targets=targets, test_targets=targets[:3])
    assert source.train_targets.dtype == torch.float32
    assert source.train_targets[:2].tolist() == [[0.0, 1.0], [1.0, 1.0]]
    assert source.num_outputs == 2


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            {"test_targets": None},
            r"holds arrays \['test_inputs', 'train_inputs', 'train_targets'\]; expected train_inputs, .* or inputs and",
        ),
        ({"test_inputs": None, "test_targets": None, "test_input": np.zeros((3, 2))}, "'test_input'"),
        ({"inputs": np.zeros((3, 2))}, "'inputs', 'test_inputs'"),
    ],
)
def test_missing_and_unknown_names_are_refused(names: dict[str, Any], expected: str) -> None:
    with pytest.raises(SpecError, match=expected) as error:
        _check(**names)
    assert error.value.field == "dataset.path"


_REFUSED: list[tuple[LikelihoodName, dict[str, Any], str]] = [
    (_CATEGORICAL, {"train_targets": np.array([0, 1, 2, 0, 1])}, "train_inputs has 6 examples, train_targets has 5"),
    (_CATEGORICAL, {"test_inputs": np.zeros((3, 3), np.float32)}, r"shape \[2\] per example, test_inputs have \[3\]"),
    (_CATEGORICAL, {"test_inputs": np.zeros((3, 2), np.uint8)}, "read as torch.float32, test_inputs as torch.uint8"),
    (_CATEGORICAL, {"train_inputs": np.zeros(6)}, r"train_inputs has shape \[6\], expected \[examples, \.\.\.\]"),
    (_CATEGORICAL, {"train_inputs": np.zeros((6, 0))}, r"train_inputs has shape \[6, 0\]"),
    (_CATEGORICAL, {"test_inputs": np.zeros((0, 2)), "test_targets": np.zeros(0, int)}, r"test_inputs has shape \[0, 2\]"),
    (
        _CATEGORICAL,
        {"train_inputs": np.array([[0.0, 1.0]] * 5 + [[2.0, np.nan]])},
        r"train_inputs must be finite .* nan at \[5, 1\]",
    ),
    (_CATEGORICAL, {"train_inputs": np.full((6, 2), 1e300)}, r"finite in float32, found 1e\+300 at \[0, 0\]"),
    (_CATEGORICAL, {"train_inputs": [[1.0, 2.0]] * 6}, "train_inputs is of type list, expected a numpy array or a tensor"),
    (_CATEGORICAL, {"train_inputs": np.full((6, 2), "a")}, "train_inputs are of dtype <U1"),
    (_CATEGORICAL, {"train_targets": np.full(6, "a")}, "dtype <U1, expected .*; number the texts 0 to K-1"),
    (_CATEGORICAL, {"train_inputs": np.full((6, 2), 1j)}, "train_inputs are of dtype complex128"),
    (_CATEGORICAL, {"train_inputs": np.zeros((6, 2), object)}, "train_inputs are of dtype object"),
    (_CATEGORICAL, {"train_inputs": torch.zeros(6, 2, dtype=torch.complex64)}, "complex64, expected dense real numbers"),
    (_CATEGORICAL, {"train_inputs": np.full((6, 2), 2**63, np.uint64)}, "9223372036854775808, which is no int64"),
    (_CATEGORICAL, {"train_targets": np.zeros(6)}, "train_targets are torch.float64, expected integer labels"),
    (_CATEGORICAL, {"train_targets": np.zeros((6, 1), int)}, r"train_targets has shape \[6, 1\], expected \[examples\]"),
    (_CATEGORICAL, {"train_targets": np.array([0, 1, 2, 0, 1, -1])}, "labels from -1 to 2 found, expected 0 to K-1"),
    (_CATEGORICAL, {"train_targets": np.array([0, 1, 2, 0, 1, 100_000])}, "at most 100000 classes"),
    (
        LikelihoodName.GAUSSIAN,
        {"train_targets": np.array([0, 1, 2, 0, 1, np.inf])},
        r"train_targets must be finite .* inf at \[5\]",
    ),
    (LikelihoodName.GAUSSIAN, {"train_targets": np.zeros((6, 2, 2))}, r"expected \[examples\] or \[examples, outputs\]"),
    (LikelihoodName.GAUSSIAN, {"train_targets": np.zeros((6, 2))}, r"shape \[2\] per example, test_targets have \[1\]"),
    (LikelihoodName.GAUSSIAN, {"train_targets": np.zeros((6, 100_001))}, "has 100001 outputs; at most 100000"),
    (
        LikelihoodName.BERNOULLI,
        {"train_targets": np.array([0, 1, 1, 0, 2, 0])},
        r"0 or 1 for likelihood 'bernoulli', found 2.0 at \[4, 0\]",
    ),
]


@pytest.mark.parametrize(("likelihood", "changes", "message"), _REFUSED)
def test_what_a_task_could_not_rely_on_is_refused(likelihood: LikelihoodName, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=rf"^own\.npz.*{message}") as error:
        _check(likelihood, **changes)
    assert error.value.field == "dataset.path"


def test_one_example_cannot_be_parted() -> None:
    with pytest.raises(SpecError, match="1 example cannot be parted into a training and a test set"):
        checked_source({"inputs": np.zeros((1, 2)), "targets": np.zeros(1, int)}, _CATEGORICAL, where="x", field="dataset")
