"""How sharply a task curves the loss along its own pulls: the curvature h that `capacity` sets the precision against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ewc_core.fisher.seeds import make_seeds
from ewc_core.specs import FisherEstimator, LikelihoodName

Draw = tuple[int, Tensor]
"""An example by its row, and signs [num_seeds] for its seeds."""


def pull_and_power(
    network: nn.Module,
    inputs: Tensor,
    draws: Sequence[Draw],
    groups: Mapping[str, Sequence[str]],
    *,
    likelihood: LikelihoodName,
    select: Callable[[Tensor], Tensor] | None,
    num_examples: int,
) -> Tensor:
    """Σ (uᵀFu, uᵀu) over one score u per draw, F and u restricted to each group: float64 [num_groups, 2].

    F is the full Fisher, and h = E[uᵀFu] / E[uᵀu] = tr F² / tr F. u = Σ_c v_c s_c at an example, with random signs v and
    the weighted scores s_c, so that E[u uᵀ] over signs and examples is F. F is never built: uᵀFu is the mean over
    examples of Σ_c (s_cᵀu)², by one directional derivative along u. `inputs` [B, ...] are B of the task's `num_examples`
    N >= B: an example's own term has weight 1/N and the others share the rest, which keeps it unbiased. The network must
    be in eval mode; it is left as it was.
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in network.named_parameters()}

    def outputs_at(at: Tensor) -> Tensor:
        outputs: Tensor = functional_call(network, leaves, (at,))
        return outputs if select is None else select(outputs)

    with torch.enable_grad():
        outputs = outputs_at(inputs)
        # (∂outputs/∂θ)ᵀ w is linear in w, so its derivative by w along u is the directional derivative (∂outputs/∂θ) u.
        dual = torch.zeros_like(outputs, requires_grad=True)
        gradients = torch.autograd.grad([outputs], list(leaves.values()), [dual], create_graph=True, materialize_grads=True)
        backward = dict(zip(leaves, gradients, strict=True))
    none = torch.empty(0)
    seeds = make_seeds(FisherEstimator.EXACT, likelihood, outputs.detach(), targets=none, uniforms=none)
    sums = torch.zeros(len(groups), 2, dtype=torch.float64)
    for example, signs in draws:
        with torch.enable_grad():
            seed = (signs.to(seeds.dtype).unsqueeze(1) * seeds[:, example]).sum(0)
            seeded = outputs_at(inputs[example : example + 1])[0] @ seed
            score = dict(zip(leaves, torch.autograd.grad(seeded, list(leaves.values()), materialize_grads=True), strict=True))
        weights = _weights(len(inputs), example, num_examples)
        for row, names in enumerate(groups.values()):
            change = _along(dual, backward, {name: score[name] for name in names})
            sums[row, 0] += torch.dot(weights, (seeds * change).sum(-1).double().square().sum(0))
            sums[row, 1] += sum(float(score[name].double().square().sum()) for name in names)
    return sums


def _along(dual: Tensor, backward: Mapping[str, Tensor], direction: Mapping[str, Tensor]) -> Tensor:
    """(∂outputs/∂θ) u, [B, K]; parameters that the outputs do not depend on add nothing."""
    names = [name for name in direction if backward[name].requires_grad]
    if not names:
        return torch.zeros_like(dual)
    (change,) = torch.autograd.grad(
        [backward[name] for name in names],
        [dual],
        [direction[name] for name in names],
        retain_graph=True,
        materialize_grads=True,
    )
    return change


def _weights(size: int, example: int, num_examples: int) -> Tensor:
    own = 1.0 / num_examples if size > 1 else 1.0
    weights = torch.full((size,), (1.0 - own) / max(1, size - 1), dtype=torch.float64)
    weights[example] = own
    return weights
