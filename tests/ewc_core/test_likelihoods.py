"""The categorical likelihood."""

from __future__ import annotations

import math

import pytest
import torch

from ewc_core.likelihoods import fisher_seeds, log_likelihood, probabilities


def _logits() -> torch.Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_log_likelihood_is_the_log_of_the_probability_of_the_label() -> None:
    logits, labels = _logits(), torch.tensor([0, 3, 4, 1])
    expected = probabilities(logits)[torch.arange(4), labels].log()
    torch.testing.assert_close(log_likelihood(logits, labels), expected, rtol=1e-13, atol=0)


def test_seeds_are_weighted_gradients_of_minus_log_likelihood() -> None:
    logits = _logits().requires_grad_()
    p = probabilities(logits)
    for label in range(5):
        score = log_likelihood(logits, torch.full((4,), label))
        (gradient,) = torch.autograd.grad(-score.sum(), logits)
        torch.testing.assert_close(fisher_seeds(logits)[label], p[:, label : label + 1].sqrt() * gradient, rtol=1e-12, atol=1e-15)


def test_seeds_multiply_to_the_covariance_of_the_labels() -> None:
    seeds, p = fisher_seeds(_logits()), probabilities(_logits())
    covariance = torch.einsum("cni,cnj->nij", seeds, seeds)
    expected = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    torch.testing.assert_close(covariance, expected, rtol=1e-12, atol=1e-15)


def test_a_confident_float32_network_keeps_the_digits_of_its_doubt() -> None:
    """In float32 the probability of class 1 rounds to 1, and its doubt would be 0."""
    seeds = fisher_seeds(torch.tensor([[0.0, 20.0]]))
    assert seeds.dtype == torch.float32
    doubt = 1.0 / (1.0 + math.exp(20.0))
    assert float(seeds[1, 0, 1]) == pytest.approx(-doubt, rel=1e-6)
    assert float(seeds[0, 0, 0]) == pytest.approx(-math.sqrt(doubt), rel=1e-6)
