"""How a task's examples are read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ewc_core.data import DataSource, TaskData
from ewc_core.data.as_stored import AsStored
from ewc_core.data.task_data import Part
from ewc_core.specs import LikelihoodName

_BYTES = torch.tensor([[[0, 4]], [[8, 2]], [[6, 1]], [[5, 5]]], dtype=torch.uint8)
_LABELS = torch.tensor([1, 0, 2, 1])


def _source(inputs: Tensor = _BYTES, *, largest: int | None = 8) -> DataSource:
    return DataSource(inputs, _LABELS, inputs[:1], _LABELS[:1], LikelihoodName.CATEGORICAL, 3, largest, AsStored("uint8"))


def _task(source: DataSource, rows: Tensor | None = None, **options: object) -> TaskData:
    part = Part(source.train_inputs.flatten(1), source.train_targets, rows)
    return TaskData(source, {"train": part}, **options)


def test_bytes_are_divided_by_the_largest_value_and_get_their_shape_back() -> None:
    inputs, targets = _task(_source()).read("train", torch.tensor([2, 0]))
    assert inputs.dtype == torch.float32
    assert inputs.tolist() == [[[0.75, 0.125]], [[0.0, 0.5]]]
    assert targets.tolist() == [2, 1]


def test_floats_are_read_as_they_are() -> None:
    numbers = torch.tensor([[[-3.5, 4e7]], [[0.1, 2.0]]])
    inputs, _ = _task(_source(numbers, largest=None)).read("train", torch.tensor([1, 0]))
    assert torch.equal(inputs, numbers[[1, 0]])


@pytest.mark.parametrize("rows", [None, torch.tensor([3, 1, 0])])
@pytest.mark.parametrize("largest", [8, None])
def test_a_range_reads_what_its_indices_read(rows: Tensor | None, largest: int | None) -> None:
    data = _task(_source(_BYTES if largest else _BYTES.float(), largest=largest), rows)
    for start, stop in ((0, 2), (1, 3), (2, 100), (3, 3)):
        inputs, targets = data.read_range("train", start, stop)
        expected = data.read("train", torch.arange(start, min(stop, data.num_examples("train"))))
        assert torch.equal(inputs, expected[0])
        assert torch.equal(targets, expected[1])
        assert inputs.shape[1:] == (1, 2)


def test_indices_count_within_the_rows_of_the_part() -> None:
    data = _task(_source(), torch.tensor([3, 1]))
    assert data.num_examples("train") == 2
    assert data.read("train", torch.tensor([1, 0]))[1].tolist() == [0, 1]
    with pytest.raises(IndexError):
        data.read("train", torch.tensor([2]))


def test_transforms_see_scaled_features_and_labels_are_exchanged() -> None:
    data = _task(_source(), transform=lambda inputs: inputs.flip(1) - 1.0, labels=torch.tensor([5, 7, 6]), num_outputs=9)
    inputs, targets = data.read("train", torch.tensor([0, 1]))
    assert inputs.tolist() == [[[-0.5, -1.0]], [[-0.75, 0.0]]]
    assert targets.tolist() == [7, 5]
    assert (data.num_outputs, data.input_shape, data.likelihood) == (9, (1, 2), LikelihoodName.CATEGORICAL)


def test_writing_into_what_was_read_leaves_the_source_alone() -> None:
    numbers = torch.ones(4, 1, 2)
    data = _task(_source(numbers, largest=None))
    for inputs, targets in (data.read_range("train", 0, 4), data.read("train", torch.arange(4))):
        inputs.zero_()
        targets.zero_()
    assert bool((numbers == 1).all())
    assert _LABELS.tolist() == [1, 0, 2, 1]
