"""The categorical likelihood."""

from __future__ import annotations

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
    logits = torch.tensor([[0.0, 40.0]])
    seeds = fisher_seeds(logits)
    assert seeds.dtype == torch.float32
    doubt = torch.tensor(-40.0, dtype=torch.float64).exp()
    torch.testing.assert_close(seeds[0, 0, 0].double(), -doubt.sqrt(), rtol=1e-6, atol=0)
