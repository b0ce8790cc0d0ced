"""Which examples are held out."""

from __future__ import annotations

import pytest

from ewc_core.data.held_out import split_off_test, split_off_validation


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
