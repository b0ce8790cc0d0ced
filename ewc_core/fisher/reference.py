"""The slow and obvious Fisher: one example and one class at a time. The oracle of the tests."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ewc_core.likelihoods import log_likelihood


def reference_fisher(network: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """F = (1/N) Σ_n Σ_c p(c|x_n) (∇_θ log p(c|x_n))², by parameter name, for inputs [N, ...].

    Works for any module, in the parameters' dtype. The network must be in eval mode already; it is not touched.
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in network.named_parameters()}
    sums = {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    with torch.enable_grad():
        for index in range(len(inputs)):
            logits = functional_call(network, leaves, (inputs[index : index + 1],))
            for label in range(logits.shape[1]):
                score = log_likelihood(logits, torch.tensor([label]))
                gradients = torch.autograd.grad(score.sum(), list(leaves.values()), retain_graph=True, materialize_grads=True)
                for name, gradient in zip(leaves, gradients, strict=True):
                    sums[name] += score.exp().detach() * gradient.square()
    return {name: total.detach() / len(inputs) for name, total in sums.items()}
