"""Which examples are held out: fixed sets that derive from the number of examples alone, so that all jobs share them."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.seeding import generator

_TEST_SHARE = 5  # one example in five


def split_off_validation(num_examples: int, num_validation_examples: int) -> tuple[Tensor, Tensor]:
    """Rows int64 of the training part, in ascending order, and of the validation part, in shuffled order.

    A larger validation part contains the smaller ones.
    """
    order = torch.randperm(num_examples, generator=generator(0, "validation", num_examples))
    return order[num_validation_examples:].sort().values, order[:num_validation_examples]


def split_off_test(num_examples: int) -> tuple[Tensor, Tensor]:
    """Rows int64 of the training part and of the test part (a fifth, rounded up), of data that come without test set."""
    order = torch.randperm(num_examples, generator=generator(0, "test", num_examples))
    num_test_examples = -(-num_examples // _TEST_SHARE)
    return order[num_test_examples:].sort().values, order[:num_test_examples]
