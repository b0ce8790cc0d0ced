"""What to backpropagate: vectors s over the outputs whose per-example squares (∂(sᵀz)/∂θ)² add up to the Fisher.

With z the outputs [n, K] and S Sᵀ the covariance of the score ∂ log p / ∂z under the model's own labels, the columns of
S give the exact Fisher, S v with random signs v an unbiased one, and one score the sampled or empirical one.
All in float64, cast to the outputs' dtype at the end; never averaged over examples.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ewc_core.errors import SpecError
from ewc_core.likelihoods import probabilities
from ewc_core.specs import FisherEstimator, LikelihoodName

_TINY = 1e-300


def num_grad_outputs(estimator: FisherEstimator, likelihood: LikelihoodName, num_outputs: int) -> int:
    """Backward passes per example: the rank of the score's covariance for `exact`, else 1."""
    if estimator is not FisherEstimator.EXACT:
        return 1
    return num_outputs - 1 if likelihood is LikelihoodName.CATEGORICAL else num_outputs


def num_uniforms(estimator: FisherEstimator, likelihood: LikelihoodName, num_outputs: int) -> int:
    """Random numbers per example that `make_grad_outputs` turns into labels or signs."""
    if estimator is FisherEstimator.SAMPLED:
        return 1 if likelihood is LikelihoodName.CATEGORICAL else num_outputs
    return num_outputs if estimator is FisherEstimator.RADEMACHER else 0


def needs_targets(estimator: FisherEstimator) -> bool:
    """Whether the estimator looks at observed targets."""
    return estimator in (FisherEstimator.EMPIRICAL, FisherEstimator.REVERSED)


def make_grad_outputs(
    estimator: FisherEstimator, likelihood: LikelihoodName, outputs: Tensor, targets: Tensor, uniforms: Tensor
) -> Tensor:
    """Vectors s [num_grad_outputs, n, K] for outputs [n, K], in their dtype.

    `uniforms` [n, num_uniforms] are float64 draws from [0, 1); `targets` are read by `empirical` and `reversed` only.

    Raises:
        SpecError: targets that do not fit the outputs, or `reversed` without classes.
    """
    if needs_targets(estimator):
        _check_targets(likelihood, outputs, targets)
    match estimator:
        case FisherEstimator.EXACT:
            grad_outputs = _exact(likelihood, outputs)
        case FisherEstimator.SAMPLED:
            grad_outputs = _sampled(likelihood, outputs, uniforms).unsqueeze(0)
        case FisherEstimator.RADEMACHER:
            grad_outputs = _rademacher(likelihood, outputs, uniforms).unsqueeze(0)
        case FisherEstimator.EMPIRICAL:
            grad_outputs = _score(likelihood, outputs, targets).unsqueeze(0)
        case FisherEstimator.REVERSED:
            grad_outputs = _reversed(likelihood, outputs, targets).unsqueeze(0)
    return grad_outputs.to(outputs.dtype)


def categorical_factor(p: Tensor) -> Tensor:
    """The K − 1 columns of S with S Sᵀ = diag p − p pᵀ: probabilities [n, K] -> [K − 1, n, K].

    The Cholesky factor in closed form. With tails t_c = Σ_{j >= c} p_j: S_cc = √(p_c t_{c+1} / t_c), and for i > c
    S_ic = −p_i √(p_c / (t_c t_{c+1})). Tails are sums of positive numbers, so nothing cancels.
    """
    diagonal, below = _categorical_factors(p)
    factor = p.new_empty(p.shape[1] - 1, *p.shape)  # made in place: it is large
    torch.mul(below.T.unsqueeze(2), -p.unsqueeze(0), out=factor)
    rows = factor.transpose(0, 1)
    rows.triu_(1)
    rows.diagonal(dim1=1, dim2=2).copy_(diagonal)
    return factor


def exact_combination(likelihood: LikelihoodName, outputs: Tensor, weights: Tensor) -> Tensor:
    """S v for the S of `exact` and one vector v a column: outputs [n, K], weights [n, num_grad_outputs] -> float64 [n, K]. S is
    not made, so K may be large."""
    weights = weights.double()
    if likelihood is not LikelihoodName.CATEGORICAL:
        return weights * _deviation(likelihood, outputs)
    p = probabilities(likelihood, outputs)
    diagonal, below = _categorical_factors(p)
    before = functional.pad((below * weights).cumsum(1), (1, 0))
    return functional.pad(diagonal * weights, (0, 1)) - p * before


def score_power(likelihood: LikelihoodName, outputs: Tensor, along: Tensor) -> Tensor:
    """aᵀ S Sᵀ a, the variance of the score along a: outputs and `along` [n, K] -> float64 [n]. S is not made."""
    along = along.double()
    if likelihood is not LikelihoodName.CATEGORICAL:
        return (along * _deviation(likelihood, outputs)).square().sum(1)
    p = probabilities(likelihood, outputs)
    return (p * (along - (p * along).sum(1, keepdim=True)).square()).sum(1)


def _categorical_factors(p: Tensor) -> tuple[Tensor, Tensor]:
    """S_cc and √(p_c / (t_c t_{c+1})), which times −p_i is S_ic for i > c: both [n, K − 1]."""
    tails = p.flip(1).cumsum(1).flip(1).clamp_min(_TINY)
    ratio = (p / tails).sqrt()[:, :-1]
    return ratio * tails[:, 1:].sqrt(), ratio / tails[:, 1:].sqrt()


def _exact(likelihood: LikelihoodName, outputs: Tensor) -> Tensor:
    if likelihood is LikelihoodName.CATEGORICAL:
        return categorical_factor(probabilities(likelihood, outputs))
    return torch.diag_embed(_deviation(likelihood, outputs)).transpose(0, 1)


def _rademacher(likelihood: LikelihoodName, outputs: Tensor, uniforms: Tensor) -> Tensor:
    """S v for signs v; categorical with the symmetric S = diag √p − p √pᵀ."""
    signs = torch.where(uniforms < 0.5, -1.0, 1.0).to(torch.float64)
    if likelihood is not LikelihoodName.CATEGORICAL:
        return signs * _deviation(likelihood, outputs)
    p = probabilities(likelihood, outputs)
    weighted = p.sqrt() * signs
    return weighted - p * weighted.sum(1, keepdim=True)


def _sampled(likelihood: LikelihoodName, outputs: Tensor, uniforms: Tensor) -> Tensor:
    """The score of labels drawn from the model by inverting its distribution functions."""
    if likelihood is LikelihoodName.GAUSSIAN:
        deviation: Tensor = torch.special.ndtri(uniforms.clamp_min(2.0**-54))
        return deviation  # y − f
    p = probabilities(likelihood, outputs)
    if likelihood is LikelihoodName.BERNOULLI:
        return (uniforms < p).to(torch.float64) - p
    labels = (p.cumsum(1) <= uniforms).sum(1).clamp_max(p.shape[1] - 1)
    return _one_hot(labels, p.shape[1]) - p


def _score(likelihood: LikelihoodName, outputs: Tensor, targets: Tensor) -> Tensor:
    """∂ log p(y | x) / ∂z: e_y − p, y − p or y − f."""
    if likelihood is LikelihoodName.GAUSSIAN:
        return targets.double() - outputs.detach().double()
    p = probabilities(likelihood, outputs)
    if likelihood is LikelihoodName.BERNOULLI:
        return targets.double() - p
    return _one_hot(targets, p.shape[1]) - p


def _reversed(likelihood: LikelihoodName, outputs: Tensor, targets: Tensor) -> Tensor:
    """∂ log softmax(−z)_y / ∂z = softmax(−z) − e_y (EWC-DR: large where the observed class would be unlearned)."""
    if likelihood is not LikelihoodName.CATEGORICAL:
        raise SpecError(
            f"estimator 'reversed' is for classes, and the likelihood is {likelihood.value!r}", field="method.estimator"
        )
    return -_score(likelihood, -outputs, targets)


def _deviation(likelihood: LikelihoodName, outputs: Tensor) -> Tensor:
    """Standard deviation of the score per output: √(p(1 − p)) or 1. [n, K]."""
    if likelihood is LikelihoodName.GAUSSIAN:
        return torch.ones_like(outputs, dtype=torch.float64)
    logits = outputs.detach().double()
    return (torch.sigmoid(logits) * torch.sigmoid(-logits)).sqrt()  # 1 − p loses every digit of a confident p


def _one_hot(labels: Tensor, num_classes: int) -> Tensor:
    return functional.one_hot(labels, num_classes).to(torch.float64)


def _check_targets(likelihood: LikelihoodName, outputs: Tensor, targets: Tensor) -> None:
    num_examples, num_outputs = outputs.shape
    if likelihood is not LikelihoodName.CATEGORICAL:
        if targets.shape != outputs.shape:
            raise SpecError(f"targets have shape {list(targets.shape)}, expected that of the outputs {list(outputs.shape)}")
        return
    if targets.shape != (num_examples,) or targets.dtype != torch.int64:
        raise SpecError(f"targets are {targets.dtype} {list(targets.shape)}, expected torch.int64 [{num_examples}]")
    if bool(((targets < 0) | (targets >= num_outputs)).any()):
        raise SpecError(f"targets lie in [{int(targets.min())}, {int(targets.max())}], expected [0, {num_outputs - 1}]")
