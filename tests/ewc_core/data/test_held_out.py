"""Which examples are held out."""

from __future__ import annotations

import pytest
import torch

from ewc_core.data.held_out import classes_of, split_off_test, split_off_validation
from ewc_core.specs import LikelihoodName


def test_validation_examples_are_never_among_the_training_examples() -> None:
    train, validation = split_off_validation(20, 6)
    assert sorted(train.tolist() + validation.tolist()) == list(range(20))
    assert len(validation) == 6
    assert train.tolist() == sorted(train.tolist())


def test_the_validation_part_is_fixed_by_the_number_of_examples_and_grows_by_addition() -> None:
    assert split_off_validation(20, 6)[1].tolist() == [16, 4, 11, 12, 6, 13]
    assert split_off_validation(20, 9)[1].tolist()[:6] == [16, 4, 11, 12, 6, 13]
    assert set(split_off_validation(21, 6)[1].tolist()) != {16, 4, 11, 12, 6, 13}


@pytest.mark.parametrize(("num_examples", "num_test_examples"), [(2, 1), (5, 1), (6, 2), (100, 20)])
def test_a_fixed_fifth_becomes_the_test_set(num_examples: int, num_test_examples: int) -> None:
    train, test = split_off_test(num_examples)
    assert len(test) == num_test_examples
    assert sorted(train.tolist() + test.tolist()) == list(range(num_examples))
    assert split_off_test(num_examples)[1].tolist() == test.tolist()
    assert split_off_test(20)[1].tolist() == [17, 7, 19, 16]


def _counts(classes: torch.Tensor, rows: torch.Tensor) -> list[int]:
    return classes[rows].bincount(minlength=int(classes.max()) + 1).tolist()


@pytest.mark.parametrize(
    ("sizes", "num_test"),
    [([98, 2], [20, 1]), ([2, 2, 2], [1, 1, 1]), ([10, 1, 7], [2, 0, 1]), ([3, 8, 50], [1, 2, 10]), ([0, 5, 5], [0, 1, 1])],
)
def test_each_class_with_two_examples_is_in_both_parts(sizes: list[int], num_test: list[int]) -> None:
    classes = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    train, test = split_off_test(len(classes), classes)
    assert sorted(train.tolist() + test.tolist()) == list(range(len(classes)))
    assert _counts(classes, test) == num_test
    assert split_off_test(len(classes), classes)[1].tolist() == test.tolist()
    assert train.tolist() == sorted(train.tolist())


def test_examples_that_are_all_of_their_own_class_are_parted_whatever_it_is() -> None:
    assert split_off_test(20, torch.arange(20))[1].tolist() == split_off_test(20)[1].tolist()


def test_a_validation_part_has_its_share_of_each_class_and_grows_by_addition() -> None:
    classes = torch.tensor([0] * 60 + [1] * 38 + [2] * 2)
    parts = [split_off_validation(100, size, classes) for size in range(1, 100)]
    for size, (train, validation) in enumerate(parts, start=1):
        assert sorted(train.tolist() + validation.tolist()) == list(range(100))
        assert validation.tolist() == parts[-1][1].tolist()[:size]
    assert _counts(classes, parts[19][1]) == [12, 8, 0]
    assert _counts(classes, parts[49][1]) == [30, 19, 1]
    assert _counts(classes, parts[96][0]) == [1, 1, 1], "the last of each class is taken last"


@pytest.mark.parametrize(
    ("likelihood", "targets", "expected"),
    [
        (LikelihoodName.CATEGORICAL, torch.tensor([2, 0]), [2, 0]),
        (LikelihoodName.BERNOULLI, torch.tensor([[1.0], [0.0]]), [1, 0]),
        (LikelihoodName.BERNOULLI, torch.zeros(2, 3), None),
        (LikelihoodName.GAUSSIAN, torch.zeros(2, 1), None),
    ],
)
def test_targets_of_a_few_kinds_are_classes(
    likelihood: LikelihoodName, targets: torch.Tensor, expected: list[int] | None
) -> None:
    classes = classes_of(targets, likelihood)
    assert (None if classes is None else classes.tolist()) == expected
