"""Permuted tasks: in which order an input's features are read."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ewc_core.data.images import image_size
from ewc_core.data.source import DataSource
from ewc_core.errors import SpecError


def permutation_of(permutation: int, num_features: int) -> Tensor:
    """Feature order int64 [num_features]: the identity for 0, else drawn by a generator seeded with the number."""
    if permutation == 0:
        return torch.arange(num_features)
    return torch.randperm(num_features, generator=torch.Generator().manual_seed(permutation))


def square_permutation_of(permutation: int, input_shape: tuple[int, ...], side: int) -> Tensor:
    """Feature order int64 [features] that shuffles only the central `side` x `side` pixels, in every channel alike.

    Where the margins cannot be equal, the smaller ones are on the top and on the left (paper: figure 3C).

    Raises:
        SpecError: the inputs are no images, or smaller than the square.
    """
    height, width = image_size(input_shape, what="square")
    if side > min(height, width):
        raise SpecError(f"square {side} is larger than the images, {height}x{width}", field="square")
    features = torch.arange(math.prod(input_shape)).view(-1, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = features[:, top : top + side, left : left + side]
    shuffled = square.flatten(1)[:, permutation_of(permutation, side * side)]
    features[:, top : top + side, left : left + side] = shuffled.view_as(square)
    return features.flatten()


class PermutedData:
    """One task's examples, flat."""

    def __init__(self, source: DataSource, permutation: int) -> None:
        self._source = source
        self._order = permutation_of(permutation, source.num_features)

    @property
    def num_training_examples(self) -> int:
        """Size of the training set."""
        return len(self._source.train_targets)

    @property
    def num_test_examples(self) -> int:
        """Size of the test set."""
        return len(self._source.test_targets)

    def training_inputs(self, indices: Tensor) -> Tensor:
        """Inputs float32 [n, features] in [0, 1] of the training examples `indices` [n]."""
        return self._read(self._source.train_inputs.index_select(0, indices))

    def training_labels(self, indices: Tensor) -> Tensor:
        """Labels int64 [n] of the training examples `indices` [n]."""
        return self._source.train_targets.index_select(0, indices)

    def test_examples(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Inputs float32 [n, features] and labels int64 [n] of the test examples start..stop-1."""
        return self._read(self._source.test_inputs[start:stop]), self._source.test_targets[start:stop]

    def _read(self, raw: Tensor) -> Tensor:
        return raw.flatten(1).to(torch.float32).div_(self._source.largest or 1).index_select(1, self._order)
