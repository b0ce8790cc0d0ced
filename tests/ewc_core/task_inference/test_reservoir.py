"""Reservoirs: uniform samples of what was seen."""

from __future__ import annotations

import numpy as np
import torch

from ewc_core.task_inference.reservoir import offer, united


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_what_fits_is_kept_in_order() -> None:
    samples, num_seen = np.zeros((1, 4, 2), dtype=np.uint8), np.zeros(1, dtype=np.int64)
    for number in range(4):
        offer(samples, num_seen, np.array([number, number + 1], dtype=np.uint8), _random())
    assert samples[0].tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert num_seen.tolist() == [4]


def test_every_observation_is_as_likely_to_be_kept_as_any_other() -> None:
    num, size, num_seen_each = 4000, 3, 12
    samples, num_seen = np.zeros((num, size, 1), dtype=np.uint8), np.zeros(num, dtype=np.int64)
    random = _random(1)
    for number in range(num_seen_each):
        offer(samples, num_seen, np.array([number], dtype=np.uint8), random)
    shares = np.bincount(samples.ravel(), minlength=num_seen_each) / num
    np.testing.assert_allclose(shares, size / num_seen_each, atol=4 * np.sqrt(0.25 * 0.75 / num))


def test_the_union_of_two_samples_is_a_uniform_sample_of_both() -> None:
    random, num, size = _random(2), 3000, 4
    first, second = np.arange(4, dtype=np.uint8)[:, None], np.arange(4, 6, dtype=np.uint8)[:, None]
    counts = np.zeros(6)
    for _ in range(num):
        chosen = united(first, 10, second, 2, size, random)
        assert len({int(each) for each in chosen.ravel()}) == size
        counts += np.bincount(chosen.ravel(), minlength=6)
    shares = counts / num
    # Twelve observations, of which four are kept: those of the second are all there to be chosen, the first stand for ten.
    np.testing.assert_allclose(shares[4:], 4 / 12, atol=0.04)
    np.testing.assert_allclose(shares[:4], (4 - 2 * 4 / 12) / 4, atol=0.04)


def test_a_small_union_keeps_everything() -> None:
    first, second = np.array([[1], [2]], dtype=np.uint8), np.array([[3]], dtype=np.uint8)
    assert united(first, 2, second, 1, 3, _random()).tolist() == [[1], [2], [3]]
