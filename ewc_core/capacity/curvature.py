"""How sharply a task curves the loss along its own pulls: the curvature h that `capacity` sets the precision against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ewc_core.blocks import blocks
from ewc_core.errors import SpecError
from ewc_core.fisher.grad_outputs import exact_combination, num_grad_outputs, score_power
from ewc_core.fisher.memory import DEFAULT_CHUNK_BYTES, examples_at_once
from ewc_core.fisher.outputs import Outputs, tensors_of
from ewc_core.fisher.untouched import untouched
from ewc_core.specs import FisherEstimator, LikelihoodName

Draw = tuple[int, Tensor]
"""An example by its row, and signs [num_grad_outputs] for its grad_outputs."""
_SHARES = 4
"""A pass that is differentiated twice keeps about so many times what one that is differentiated once does."""


def random_pulls(
    network: nn.Module,
    inputs: Tensor,
    groups: Mapping[str, Sequence[str]],
    *,
    num_scores: int,
    num_outputs: int,
    random: torch.Generator,
    likelihood: LikelihoodName,
    select: Callable[[Tensor], Tensor] | None,
    num_examples: int,
) -> Tensor:
    """`pull_and_power` of `num_scores` random scores: of which of `inputs`, and with which signs, `random` draws. The task has
    `num_outputs` outputs. Raises the same."""
    size = num_grad_outputs(FisherEstimator.EXACT, likelihood, num_outputs)
    draws = []
    for _ in range(num_scores):
        example = int(torch.randint(len(inputs), (), generator=random))
        draws.append((example, 2.0 * torch.randint(2, (size,), generator=random) - 1.0))
    return pull_and_power(network, inputs, draws, groups, likelihood=likelihood, select=select, num_examples=num_examples)


def mean_curvature(groups: Iterable[str], sums: Tensor) -> dict[str, float]:
    """h by group, from the sums [num_groups, 2] of `pull_and_power`; 0 where nothing pulls."""
    pairs = zip(groups, sums.tolist(), strict=True)
    return {group: pull / power if power > 0.0 else 0.0 for group, (pull, power) in pairs}


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
    N >= B: an example's own term has weight 1/N and the others share the rest, which keeps it unbiased. The examples go
    through in chunks of bounded memory. The network runs in eval mode and is left as it was.

    Raises:
        SpecError: the network has no second derivative.
    """
    try:
        return _pull_and_power(network, inputs, draws, groups, likelihood, select, num_examples)
    except RuntimeError as error:
        why = str(error).strip().partition("\n")[0]
        raise SpecError(
            f"the curvature is made of second derivatives, and the network has none: {why}", field="network"
        ) from error


def _pull_and_power(
    network: nn.Module,
    inputs: Tensor,
    draws: Sequence[Draw],
    groups: Mapping[str, Sequence[str]],
    likelihood: LikelihoodName,
    select: Callable[[Tensor], Tensor] | None,
    num_examples: int,
) -> Tensor:
    leaves, fixed = tensors_of(network)
    outputs = Outputs(network, select)
    sums = torch.zeros(len(groups), 2, dtype=torch.float64)
    # Attention in plain operations: the fused kernel cannot be differentiated twice.
    with untouched(network), outputs.holding({**leaves, **fixed}), sdpa_kernel(SDPBackend.MATH):
        size = examples_at_once(network, inputs[:3], most=len(inputs), chunk_bytes=DEFAULT_CHUNK_BYTES // _SHARES)
        for start in range(0, len(inputs), size):
            chunk = slice(start, start + size)
            derivative = _Derivative(outputs, inputs[chunk], leaves)
            for example, signs in draws:
                score = _score(outputs, inputs[example : example + 1], signs, likelihood, leaves)
                weights = _weights(len(inputs), example, num_examples)[chunk]
                for row, names in enumerate(groups.values()):
                    along = derivative.along({name: score[name] for name in names if name in score})
                    sums[row, 0] += torch.dot(weights, score_power(likelihood, derivative.outputs, along))
                    if start == 0:
                        sums[row, 1] += sum(_power(score[name]) for name in names if name in score)
                del score  # as large as the network: before the next one is made
    return sums


def _power(score: Tensor) -> float:
    """Σ u² in float64."""
    return sum(float(block.double().square().sum()) for (block,) in blocks(score.reshape(-1)))


class _Derivative:
    """Directional derivatives of the outputs of a chunk by the parameters."""

    def __init__(self, outputs: Outputs, inputs: Tensor, leaves: Mapping[str, Tensor]) -> None:
        with torch.enable_grad():
            result = outputs.of(inputs)
            # (∂outputs/∂θ)ᵀ w is linear in w, so its derivative by w along u is the directional derivative (∂outputs/∂θ) u.
            self._dual = torch.zeros_like(result, requires_grad=True)
            gradients = torch.autograd.grad(
                [result], list(leaves.values()), [self._dual], create_graph=True, materialize_grads=True
            )
        self.outputs = result.detach()
        self._backward = dict(zip(leaves, gradients, strict=True))

    def along(self, direction: Mapping[str, Tensor]) -> Tensor:
        """(∂outputs/∂θ) u, [n, K]; parameters that the outputs do not depend on add nothing."""
        names = [name for name in direction if self._backward[name].requires_grad]
        if not names:
            return torch.zeros_like(self.outputs)
        (change,) = torch.autograd.grad(
            [self._backward[name] for name in names],
            [self._dual],
            [direction[name] for name in names],
            retain_graph=True,
            materialize_grads=True,
        )
        return change


def _score(
    outputs: Outputs, example: Tensor, signs: Tensor, likelihood: LikelihoodName, leaves: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """u = Σ_c v_c s_c at one example [1, ...], by parameter name."""
    with torch.enable_grad():
        result = outputs.of(example)
        grad_output = exact_combination(likelihood, result.detach(), signs.unsqueeze(0))[0].to(result.dtype)
        gradients = torch.autograd.grad(result[0] @ grad_output, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, gradients, strict=True))


def _weights(size: int, example: int, num_examples: int) -> Tensor:
    own = 1.0 / num_examples if size > 1 else 1.0
    weights = torch.full((size,), (1.0 - own) / max(1, size - 1), dtype=torch.float64)
    weights[example] = own
    return weights
