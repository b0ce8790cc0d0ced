"""Seeds: their squares add up to the covariance of the score."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.fisher.grad_outputs import (
    categorical_factor,
    exact_combination,
    make_grad_outputs,
    num_grad_outputs,
    num_uniforms,
    score_power,
)
from ewc_core.likelihoods import log_likelihood, probabilities
from ewc_core.specs import FisherEstimator, LikelihoodName

CATEGORICAL, BERNOULLI, GAUSSIAN = LikelihoodName.CATEGORICAL, LikelihoodName.BERNOULLI, LikelihoodName.GAUSSIAN


def _outputs() -> Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _covariance(likelihood: LikelihoodName, outputs: Tensor) -> Tensor:
    if likelihood is GAUSSIAN:
        return torch.eye(5, dtype=torch.float64).expand(len(outputs), 5, 5)
    p = probabilities(likelihood, outputs)
    if likelihood is BERNOULLI:
        return torch.diag_embed(p * (1 - p))
    return torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)


def _grad_outputs(
    estimator: FisherEstimator, likelihood: LikelihoodName, outputs: Tensor, targets: Tensor | None = None
) -> Tensor:
    width = num_uniforms(estimator, likelihood, outputs.shape[1])
    uniforms = torch.rand(len(outputs), width, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return make_grad_outputs(estimator, likelihood, outputs, outputs if targets is None else targets, uniforms)


@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_exact_grad_outputs_multiply_to_the_covariance_of_the_score(likelihood: LikelihoodName) -> None:
    grad_outputs = _grad_outputs(FisherEstimator.EXACT, likelihood, _outputs())
    assert len(grad_outputs) == num_grad_outputs(FisherEstimator.EXACT, likelihood, 5) == (4 if likelihood is CATEGORICAL else 5)
    torch.testing.assert_close(
        torch.einsum("sni,snj->nij", grad_outputs, grad_outputs), _covariance(likelihood, _outputs()), rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("estimator", [FisherEstimator.SAMPLED, FisherEstimator.RADEMACHER])
@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_random_grad_outputs_multiply_to_the_covariance_on_average(
    estimator: FisherEstimator, likelihood: LikelihoodName
) -> None:
    outputs = _outputs()[:1].expand(100_000, 5)
    grad_outputs = _grad_outputs(estimator, likelihood, outputs)[0]
    torch.testing.assert_close(
        grad_outputs.T @ grad_outputs / len(grad_outputs), _covariance(likelihood, _outputs()[:1])[0], rtol=0, atol=0.02
    )


@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_what_is_made_of_the_exact_ones_needs_none_of_them(likelihood: LikelihoodName) -> None:
    outputs, random = _outputs(), torch.Generator().manual_seed(1)
    exact = _grad_outputs(FisherEstimator.EXACT, likelihood, outputs)
    weights = torch.randn(4, len(exact), generator=random, dtype=torch.float64)
    torch.testing.assert_close(exact_combination(likelihood, outputs, weights), torch.einsum("nc,cnk->nk", weights, exact))
    along = torch.randn(4, 5, generator=random, dtype=torch.float64)
    torch.testing.assert_close(score_power(likelihood, outputs, along), torch.einsum("cnk,nk->nc", exact, along).square().sum(1))
    many = torch.zeros(1, 100_000)  # as many outputs as a job may have: a square of them takes 75 GiB
    combined = exact_combination(likelihood, many, torch.ones(1, num_grad_outputs(FisherEstimator.EXACT, likelihood, 100_000)))
    assert combined.shape == (1, 100_000)
    assert score_power(likelihood, many, many).tolist() == [0.0]


@pytest.mark.parametrize("likelihood", LikelihoodName)
def test_the_empirical_grad_output_is_the_gradient_of_the_log_likelihood(likelihood: LikelihoodName) -> None:
    outputs = _outputs().requires_grad_()
    targets = torch.tensor([0, 3, 4, 1]) if likelihood is CATEGORICAL else (_outputs().flip(0) > 0).double()
    (gradient,) = torch.autograd.grad(log_likelihood(likelihood, outputs, targets).sum(), outputs)
    torch.testing.assert_close(
        _grad_outputs(FisherEstimator.EMPIRICAL, likelihood, outputs, targets)[0], gradient, rtol=1e-12, atol=1e-15
    )


def test_the_reversed_grad_output_is_the_gradient_with_negated_logits() -> None:
    outputs, labels = _outputs().requires_grad_(), torch.tensor([0, 3, 4, 1])
    (gradient,) = torch.autograd.grad(log_likelihood(CATEGORICAL, -outputs, labels).sum(), outputs)
    torch.testing.assert_close(
        _grad_outputs(FisherEstimator.REVERSED, CATEGORICAL, outputs, labels)[0], gradient, rtol=1e-12, atol=1e-15
    )


def test_the_factor_survives_probabilities_of_zero_and_one() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], dtype=torch.float64)
    factor = categorical_factor(p)
    covariance = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
    torch.testing.assert_close(torch.einsum("sni,snj->nij", factor, factor), covariance, rtol=1e-12, atol=1e-15)


def test_a_confident_float32_network_keeps_the_digits_of_its_doubt() -> None:
    """In float32 the probability of class 1 rounds to 1, and its doubt would be 0."""
    doubt = 1.0 / (1.0 + math.exp(20.0))
    grad_outputs = _grad_outputs(FisherEstimator.EXACT, CATEGORICAL, torch.tensor([[0.0, 20.0]]))
    assert grad_outputs.dtype == torch.float32
    assert float(grad_outputs[0, 0, 0]) == pytest.approx(math.sqrt(doubt * (1 - doubt)), rel=1e-6)
    assert float(_grad_outputs(FisherEstimator.EXACT, BERNOULLI, torch.tensor([[40.0]]))[0, 0, 0]) == pytest.approx(
        math.exp(-20.0), rel=1e-6
    )


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([0, 1, 2, 5]), r"\[0, 5\], expected \[0, 4\]"),
        (torch.tensor([0, 1, 2]), r"\[3\], expected torch.int64 \[4\]"),
        (torch.zeros(4), "float32"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets: Tensor, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        _grad_outputs(FisherEstimator.EMPIRICAL, CATEGORICAL, _outputs(), targets)


@pytest.mark.parametrize("likelihood", [BERNOULLI, GAUSSIAN])
def test_reversed_needs_classes(likelihood: LikelihoodName) -> None:
    with pytest.raises(SpecError, match="reversed"):
        _grad_outputs(FisherEstimator.REVERSED, likelihood, _outputs(), torch.zeros(4, 5))
