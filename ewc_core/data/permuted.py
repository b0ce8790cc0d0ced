"""Permuted tasks: in which order an input's features are read."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ewc_core.data.images import image_size
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
