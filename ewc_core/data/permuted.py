"""Permuted tasks: one data set, its features shuffled by a permutation that is the same in every job."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.data.sources import DataSource


def permutation_of(permutation: int, num_features: int) -> Tensor:
    """Feature order int64 [num_features]: the identity for 0, else drawn by a generator seeded with the number."""
    if permutation == 0:
        return torch.arange(num_features)
    return torch.randperm(num_features, generator=torch.Generator().manual_seed(permutation))


class PermutedData:
    """One task's examples. Feature j of an example is feature order[j] of the source.

    Nothing is copied: minibatches are gathered, permuted and scaled when they are read, so that a job with many tasks
    on one data set holds it in memory once.
    """

    def __init__(self, source: DataSource, permutation: int) -> None:
        self._source = source
        self._order = permutation_of(permutation, source.num_features)

    @property
    def num_training_examples(self) -> int:
        """Size of the training set."""
        return len(self._source.train_labels)

    @property
    def num_test_examples(self) -> int:
        """Size of the test set."""
        return len(self._source.test_labels)

    def training_inputs(self, indices: Tensor) -> Tensor:
        """Inputs float32 [n, features] in [0, 1] of the training examples `indices` [n]."""
        return self._read(self._source.train_inputs.index_select(0, indices))

    def training_labels(self, indices: Tensor) -> Tensor:
        """Labels int64 [n] of the training examples `indices` [n]."""
        return self._source.train_labels.index_select(0, indices)

    def test_examples(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Inputs float32 [n, features] and labels int64 [n] of the test examples start..stop-1."""
        return self._read(self._source.test_inputs[start:stop]), self._source.test_labels[start:stop]

    def _read(self, raw: Tensor) -> Tensor:
        return raw.index_select(1, self._order).to(torch.float32).div_(self._source.largest)
