"""Permuted tasks."""

from __future__ import annotations

import torch

from ewc_core.data import DataSource, PermutedData, load_source, permutation_of
from ewc_core.specs import DatasetName


def _source() -> DataSource:
    inputs = torch.tensor([[0, 4, 8], [2, 6, 1]], dtype=torch.uint8)
    return DataSource(inputs, torch.tensor([1, 0]), inputs[:1], torch.tensor([1]), largest=8)


def test_permutation_zero_is_the_identity() -> None:
    assert permutation_of(0, 5).tolist() == [0, 1, 2, 3, 4]


def test_a_permutation_never_changes() -> None:
    assert permutation_of(1, 8).tolist() == torch.randperm(8, generator=torch.Generator().manual_seed(1)).tolist()
    assert permutation_of(1, 8).tolist() == [5, 4, 2, 6, 7, 3, 1, 0]
    assert sorted(permutation_of(7, 64).tolist()) == list(range(64))
    assert permutation_of(7, 64).tolist() != permutation_of(8, 64).tolist()


def test_features_are_reordered_and_scaled_to_the_unit_interval() -> None:
    data = PermutedData(_source(), 3)
    order = permutation_of(3, 3)
    inputs = data.training_inputs(torch.tensor([1, 0]))
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs, torch.tensor([[0.25, 0.75, 0.125], [0.0, 0.5, 1.0]])[:, order])
    assert data.training_labels(torch.tensor([1, 0])).tolist() == [0, 1]


def test_training_and_test_inputs_are_permuted_alike() -> None:
    data = PermutedData(_source(), 3)
    inputs, labels = data.test_examples(0, 10)
    assert torch.equal(inputs, data.training_inputs(torch.tensor([0])))
    assert labels.tolist() == [1]
    assert (data.num_training_examples, data.num_test_examples) == (2, 1)


def test_real_inputs_lie_in_the_unit_interval() -> None:
    data = PermutedData(load_source(DatasetName.DIGITS, None), 0)
    inputs = data.training_inputs(torch.arange(data.num_training_examples))
    assert float(inputs.min()) == 0.0
    assert float(inputs.max()) == 1.0
