"""Categorical, Bernoulli and Gaussian likelihoods."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from ewc_core.likelihoods import log_likelihood, mean_loss, probabilities
from ewc_core.specs import LikelihoodName

CATEGORICAL, BERNOULLI, GAUSSIAN = LikelihoodName.CATEGORICAL, LikelihoodName.BERNOULLI, LikelihoodName.GAUSSIAN


def _outputs() -> torch.Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _targets(likelihood: LikelihoodName) -> torch.Tensor:
    if likelihood is CATEGORICAL:
        return torch.tensor([0, 3, 4, 1])
    values = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    return (values > 0).float() if likelihood is BERNOULLI else values


def test_categorical_log_likelihood_is_the_log_of_the_probability_of_the_label() -> None:
    labels = _targets(CATEGORICAL)
    expected = probabilities(CATEGORICAL, _outputs())[torch.arange(4), labels].log()
    torch.testing.assert_close(log_likelihood(CATEGORICAL, _outputs(), labels), expected, rtol=1e-13, atol=0)


def test_bernoulli_log_likelihood_is_summed_over_the_labels() -> None:
    labels, p = _targets(BERNOULLI).double(), probabilities(BERNOULLI, _outputs())
    expected = torch.where(labels == 1, p, 1 - p).log().sum(1)
    torch.testing.assert_close(log_likelihood(BERNOULLI, _outputs(), labels), expected, rtol=1e-12, atol=0)


def test_gaussian_log_likelihood_is_that_of_unit_variance_up_to_its_constant() -> None:
    targets = _targets(GAUSSIAN).double()
    normal = torch.distributions.Normal(_outputs(), 1.0).log_prob(targets).sum(1) + 2.5 * math.log(2 * math.pi)
    torch.testing.assert_close(log_likelihood(GAUSSIAN, _outputs(), targets), normal, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_the_loss_is_minus_the_mean_log_likelihood_over_examples(likelihood: LikelihoodName) -> None:
    expected = -log_likelihood(likelihood, _outputs(), _targets(likelihood)).sum() / 4
    torch.testing.assert_close(mean_loss(likelihood, _outputs(), _targets(likelihood)), expected, rtol=1e-13, atol=0)


def test_the_categorical_loss_is_cross_entropy_bit_for_bit() -> None:
    outputs, labels = _outputs().float(), _targets(CATEGORICAL)
    assert torch.equal(mean_loss(CATEGORICAL, outputs, labels), functional.cross_entropy(outputs, labels))


def test_the_gaussian_loss_carries_the_half() -> None:
    outputs = torch.tensor([[1.0, 2.0]])
    assert float(mean_loss(GAUSSIAN, outputs, torch.tensor([[0.0, 0.0]]))) == pytest.approx(2.5)
