"""The estimator of Krichevsky and Trofimov against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.ewc_core.task_inference.kt import kt_estimator


@pytest.mark.parametrize(("num_zeros", "num_ones"), [(0, 1), (3, 0), (5, 8), (40, 2)])
def test_a_string_is_as_probable_as_the_beta_function_says(num_zeros: int, num_ones: int) -> None:
    predictor = kt_estimator()
    statistics = predictor.empty(1)
    total = 0.0
    for bit in [0] * num_zeros + [1] * num_ones:
        at = predictor.entries(np.array([bit], dtype=np.uint8))
        total += float(predictor.log_likelihoods(statistics.take(at, axis=1))[0])
        statistics[0, at] += 1
    expected = (
        math.lgamma(num_zeros + 0.5) + math.lgamma(num_ones + 0.5) - math.lgamma(num_zeros + num_ones + 1) - math.log(math.pi)
    )
    assert total == pytest.approx(expected, abs=1e-11)
