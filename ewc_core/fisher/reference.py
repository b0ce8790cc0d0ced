"""The slow and obvious Fisher: one example and one label at a time. The oracle of the tests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ewc_core.errors import SpecError
from ewc_core.fisher.untouched import substituted
from ewc_core.likelihoods import log_likelihood, probabilities
from ewc_core.specs import FisherEstimator, LikelihoodName

_Weighted = tuple[Tensor, Tensor]


def reference_fisher(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor | None = None,
    *,
    estimator: FisherEstimator = FisherEstimator.EXACT,
    likelihood: LikelihoodName = LikelihoodName.CATEGORICAL,
    select: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """F = (1/N) Σ_n E_y (∇_θ log p(y|x_n))² by parameter name: y under the model (`exact`) or observed.

    Works for any module, in the parameters' dtype; the network must be in eval mode already and is not touched.

    Raises:
        SpecError: an estimator that draws at random, or one that needs targets without them.
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in network.named_parameters()}
    sums = {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    with torch.enable_grad(), substituted(network, leaves):
        for index in range(len(inputs)):
            outputs: Tensor = network(inputs[index : index + 1])
            outputs = outputs if select is None else select(outputs)
            target = None if targets is None else targets[index : index + 1]
            for weight, score in _weighted_scores(estimator, likelihood, outputs, target):
                torch.autograd.backward([score], retain_graph=True)  # not autograd.grad, which a reentrant checkpoint refuses
                for name, leaf in leaves.items():
                    gradient, leaf.grad = leaf.grad, None
                    if gradient is not None:
                        dense = gradient.to_dense() if gradient.is_sparse else gradient
                        sums[name] += weight * dense.square()
    return {name: total.detach() / len(inputs) for name, total in sums.items()}


def _weighted_scores(
    estimator: FisherEstimator, likelihood: LikelihoodName, outputs: Tensor, target: Tensor | None
) -> list[_Weighted]:
    """(weight, scalar to differentiate): the Fisher of one example is Σ weight · (∇ scalar)²."""
    if estimator is FisherEstimator.EXACT:
        return _every_label(likelihood, outputs)
    if target is None or estimator not in (FisherEstimator.EMPIRICAL, FisherEstimator.REVERSED):
        raise SpecError(f"no reference for estimator {estimator.value!r} with{'out' if target is None else ''} targets")
    seen = -outputs if estimator is FisherEstimator.REVERSED else outputs
    return [(outputs.new_ones(()), log_likelihood(likelihood, seen, target).sum())]


def _every_label(likelihood: LikelihoodName, outputs: Tensor) -> list[_Weighted]:
    """Categorical: every class. Bernoulli: both labels of every output. Gaussian: (∂f_o/∂θ)², its average over y."""
    outs = range(outputs.shape[1])
    if likelihood is LikelihoodName.GAUSSIAN:
        return [(outputs.new_ones(()), outputs[0, o]) for o in outs]
    p = probabilities(likelihood, outputs)[0].to(outputs.dtype)
    if likelihood is LikelihoodName.CATEGORICAL:
        return [(p[c], log_likelihood(likelihood, outputs, torch.tensor([c], device=outputs.device)).sum()) for c in outs]
    ones = [(p[o], log_likelihood(likelihood, outputs[:, o : o + 1], outputs.new_ones(1, 1)).sum()) for o in outs]
    zeros = [(1 - p[o], log_likelihood(likelihood, outputs[:, o : o + 1], outputs.new_zeros(1, 1)).sum()) for o in outs]
    return ones + zeros
