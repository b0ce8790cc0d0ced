"""Factored Dirichlet predictors against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.task_inference.dirichlet import FactoredDirichlet


def _by_hand(past: np.ndarray, symbols: np.ndarray, num_levels: int, prior: float) -> float:
    total = 0.0
    for place, level in enumerate(symbols):
        same = sum(1 for each in past if each[place] == level)
        total += np.log((same + prior) / (len(past) + prior * num_levels))
    return float(total)


@pytest.mark.parametrize("num_symbols", [1, 3, 64, 67, 401])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_likelihoods_are_those_of_counting(num_symbols: int, dtype: type[np.float32], rtol: float) -> None:
    random = np.random.default_rng(num_symbols)
    past = random.integers(0, 5, (9, num_symbols)).astype(np.uint8)
    now = random.integers(0, 5, num_symbols).astype(np.uint8)
    predictor = FactoredDirichlet(num_symbols, 5, prior_count=0.3, dtype=dtype)
    statistics = predictor.empty(3)
    for row, num in enumerate((0, 4, 9)):
        for symbols in past[:num]:
            statistics[row, predictor.entries(symbols)] += 1
    expected = [_by_hand(past[:num], now, 5, 0.3) for num in (0, 4, 9)]
    rows = statistics.take(predictor.entries(now), axis=1)
    np.testing.assert_allclose(predictor.log_likelihoods(rows), expected, rtol=rtol)
    both = predictor.log_likelihoods_of_all(statistics, np.stack([now, past[0]]))
    np.testing.assert_allclose(both[0], expected, rtol=rtol)
    np.testing.assert_allclose(both[1], [_by_hand(past[:num], past[0], 5, 0.3) for num in (0, 4, 9)], rtol=rtol)


def test_probabilities_of_all_observations_sum_to_one() -> None:
    predictor = FactoredDirichlet(2, 3, prior_count=0.7, dtype=np.float64)
    statistics = predictor.empty(1)
    statistics[0, predictor.entries(np.array([2, 0], dtype=np.uint8))] += 1
    everything = np.array([[first, second] for first in range(3) for second in range(3)], dtype=np.uint8)
    assert np.exp(predictor.log_likelihoods_of_all(statistics, everything)).sum() == pytest.approx(1.0, abs=1e-14)


def test_one_who_knows_nothing_finds_every_observation_alike() -> None:
    predictor = FactoredDirichlet(100, 8, prior_count=1.0)
    rows = predictor.empty(1).take(predictor.entries(np.arange(100, dtype=np.uint8) % 8), axis=1)
    np.testing.assert_allclose(predictor.log_likelihoods(rows), -100 * np.log(8), rtol=1e-6)


def test_the_largest_counts_and_the_smallest_prior_do_not_overflow() -> None:
    for prior, count in ((1e-6, 0), (1e3, 2**24)):
        predictor = FactoredDirichlet(200, 2, prior_count=prior)
        rows = np.full((1, 201), 2 * count, dtype=np.float32)
        expected = 200 * (np.log(2.0 * count + prior) - np.log(2.0 * count + 2 * prior))
        np.testing.assert_allclose(predictor.log_likelihoods(rows), expected, rtol=1e-3, atol=1e-2)
