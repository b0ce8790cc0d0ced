"""Mixtures that nest, against mixtures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ewc_core.task_inference.mixture import MixtureStack
from tests.ewc_core.task_inference.kt import kt_estimator

KT = kt_estimator()
# A fresh coin, one that has seen three zeros, and one that has seen two ones.
POOL = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 3.0], [0.0, 2.0, 2.0]])


def _stack() -> MixtureStack:
    return MixtureStack(KT, max_num=3, max_members=3, reservoir_size=4)


def _learn(stack: MixtureStack, bits: list[int]) -> None:
    random = torch.Generator().manual_seed(0)
    for bit in bits:
        stack.learn(np.array([bit], dtype=np.uint8), POOL, random)


def _log_likelihood(start: np.ndarray, bits: list[int]) -> float:
    counts, total = start[:2] + 0.5, 0.0
    for bit in bits:
        total += np.log(counts[bit] / counts.sum())
        counts[bit] += 1
    return float(total)


def test_its_evidence_is_the_weighted_sum_over_its_members() -> None:
    stack, bits = _stack(), [0, 0, 1, 0]
    stack.push(np.array([1, 2, 0]))
    _learn(stack, bits)
    likelihoods = [_log_likelihood(POOL[slot], bits) for slot in (1, 2, 0)]
    expected = np.log(np.dot([0.25, 0.25, 0.5], np.exp(likelihoods)))
    assert stack.log_evidence[0] == pytest.approx(expected, abs=1e-12)
    slots, weights = stack.log_weights(0)
    assert slots.tolist() == [1, 2, 0]
    np.testing.assert_allclose(weights, np.array(likelihoods) + np.log([0.25, 0.25, 0.5]), atol=1e-12)
    assert stack.best_slot(0) == 1


def test_a_fresh_predictor_alone_has_all_the_weight() -> None:
    stack = _stack()
    stack.push(np.array([0]))
    _learn(stack, [1, 1])
    assert stack.log_evidence[0] == pytest.approx(_log_likelihood(POOL[0], [1, 1]), abs=1e-12)


def test_an_older_mixture_learns_all_that_a_younger_one_does() -> None:
    stack = _stack()
    stack.push(np.array([1, 0]))
    _learn(stack, [1, 1])
    stack.push(np.array([2, 0]))
    _learn(stack, [0, 1, 1])
    older = [_log_likelihood(POOL[slot], [1, 1, 0, 1, 1]) for slot in (1, 0)]
    younger = [_log_likelihood(POOL[slot], [0, 1, 1]) for slot in (2, 0)]
    expected = [np.logaddexp.reduce(np.array(each) + np.log(0.5)) for each in (older, younger)]
    np.testing.assert_allclose(stack.log_evidence, expected, atol=1e-12)
    assert stack.since(0).tolist() == [1, 4, 5]
    assert stack.since(1).tolist() == [1, 2, 3]
    assert [stack.sample(number)[1] for number in (0, 1)] == [5, 3]
    assert stack.sample(1)[0].ravel().tolist() == [0, 1, 1]


def test_the_youngest_ends_first_and_its_place_starts_empty() -> None:
    stack = _stack()
    stack.push(np.array([0]))
    stack.push(np.array([1, 0]))
    _learn(stack, [1])
    stack.pop_to(1)
    stack.push(np.array([2, 1, 0]))
    assert len(stack) == 2
    assert stack.since(1).tolist() == [0, 0, 0]
    _learn(stack, [0])
    assert stack.since(0).tolist() == [1, 1, 2]
    likelihoods = [_log_likelihood(POOL[slot], [0]) for slot in (2, 1, 0)]
    assert stack.log_evidence[1] == pytest.approx(np.log(np.dot([0.25, 0.25, 0.5], np.exp(likelihoods))), abs=1e-12)


def test_members_far_behind_are_let_go_but_the_fresh_one_stays() -> None:
    stack = _stack()
    pool = np.array([[0.0, 0.0, 0.0], [1e300, 0.0, 1e300], [0.0, 1e300, 1e300]])
    stack.push(np.array([1, 2, 0]))
    random = torch.Generator().manual_seed(0)
    for _ in range(2):
        stack.learn(np.array([1], dtype=np.uint8), pool, random)
    assert stack.log_weights(0)[0].tolist() == [2, 0]
    for _ in range(2):
        stack.learn(np.array([0], dtype=np.uint8), pool, random)
    assert stack.log_weights(0)[0].tolist() == [0]
