"""Which examples are held out: fixed sets that derive from the examples' number and classes alone, so that all jobs share
them. Where there are classes, none of them loses its last training example."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.seeding import generator
from ewc_core.specs import LikelihoodName

_TEST_SHARE = 5  # one example in five


def classes_of(targets: Tensor, likelihood: LikelihoodName) -> Tensor | None:
    """int64 [n]: what each example counts as when examples are held out; None where targets are not of a few kinds."""
    if likelihood is LikelihoodName.CATEGORICAL:
        return targets
    is_one_label = likelihood is LikelihoodName.BERNOULLI and targets.shape[1] == 1
    return targets[:, 0].to(torch.int64) if is_one_label else None


def split_off_validation(num_examples: int, num_validation_examples: int, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Rows int64 of the training part, in ascending order, and of the validation part.

    A larger validation part contains the smaller ones. With `classes` int64 [n], every class has about its share of the
    validation part, and its last example is taken only when those of all others are gone.
    """
    order = torch.randperm(num_examples, generator=generator(0, "validation", num_examples))
    if classes is not None:
        rank, size = _ranks(classes[order])
        place = (rank + 0.5) / size + (rank == size - 1)  # the last of each class comes after everything else
        order = order[place.sort(stable=True).indices]
    return order[num_validation_examples:].sort().values, order[:num_validation_examples]


def split_off_test(num_examples: int, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Rows int64 of the training part and of the test part (a fifth), of data that come without test set.

    With `classes` int64 [n], a fifth of each class, rounded, but of two or more examples at least one: each such class is in
    both parts, and a single example is trained on. Without, or where no class has two, a fifth of all, rounded up.
    """
    order = torch.randperm(num_examples, generator=generator(0, "test", num_examples))
    is_test = torch.arange(num_examples) < -(-num_examples // _TEST_SHARE)
    if classes is not None:
        rank, size = _ranks(classes[order])
        wanted = ((2 * size + _TEST_SHARE) // (2 * _TEST_SHARE)).clamp(min=1)
        by_class = (rank < wanted) & (size > 1)
        is_test = by_class if bool(by_class.any()) else is_test
    return order[~is_test].sort().values, order[is_test]


def _ranks(classes: Tensor) -> tuple[Tensor, Tensor]:
    """Of each example int64 [n]: how many of its class come before it, and how many its class has."""
    found, index = torch.unique(classes, return_inverse=True)
    sizes = index.bincount(minlength=len(found))
    starts = sizes.cumsum(0) - sizes
    by_class = index.sort(stable=True).indices
    rank = torch.empty_like(by_class)
    rank[by_class] = torch.arange(len(classes)) - starts[index[by_class]]
    return rank, sizes[index]
