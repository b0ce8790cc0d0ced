"""Long sums keep their digits, and no sum is reported that is not finite."""

from __future__ import annotations

import pytest
import torch

from ewc_core.errors import NonFiniteError
from ewc_core.fisher.sums import EXAMPLES_PER_SUM, Sums


def _sums(*values: float, num_examples: int, dtype: torch.dtype = torch.float32) -> Sums:
    sums = Sums({"weight": torch.empty(2, dtype=dtype)})
    for value in values:
        sums.count(num_examples)
        sums["weight"].add_(value)
    return sums


def test_sums_of_many_examples_are_added_in_float64() -> None:
    """In float32, 2²⁴ + 1 is 2²⁴ again."""
    mean = _sums(2.0**24, 1.0, 1.0, num_examples=EXAMPLES_PER_SUM).mean("weight")
    torch.testing.assert_close(mean, torch.full((2,), (2.0**24 + 2) / (3 * EXAMPLES_PER_SUM)), rtol=0, atol=0)


@pytest.mark.parametrize("num_examples", [1, EXAMPLES_PER_SUM // 2, EXAMPLES_PER_SUM, 2 * EXAMPLES_PER_SUM])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mean_is_over_all_examples_however_they_come(num_examples: int, dtype: torch.dtype) -> None:
    mean = _sums(1.0, 2.0, 3.0, 4.0, 5.0, num_examples=num_examples, dtype=dtype).mean("weight")
    torch.testing.assert_close(mean, torch.full((2,), 3.0 / num_examples, dtype=dtype))


def test_half_precision_parameters_have_float32_sums() -> None:
    mean = _sums(1e-9, num_examples=1, dtype=torch.float16).mean("weight")
    torch.testing.assert_close(mean, torch.full((2,), 1e-9))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_numbers_that_are_not_finite_are_reported(value: float) -> None:
    with pytest.raises(NonFiniteError, match="'weight'"):
        _sums(value, num_examples=1).mean("weight")


def test_entries_whose_sum_alone_overflows_are_finite() -> None:
    assert bool(torch.isfinite(_sums(3e38, num_examples=1).mean("weight")).all())
