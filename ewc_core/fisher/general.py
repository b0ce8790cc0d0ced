"""Per-example gradients for any module: by vmap where it can trace the network, else one example after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from math import ceil

import torch
from torch import Tensor
from torch.func import grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from ewc_core.fisher.forms import wide
from ewc_core.fisher.outputs import Outputs
from ewc_core.fisher.sums import Sums


class GeneralMethod:
    """Adds per-example gradients of sᵀz, squared or in absolute value; remembers whether vmap can trace the network."""

    def __init__(self, outputs: Outputs, measure: Callable[[Tensor], Tensor] = torch.square) -> None:
        """`measure` makes of every gradient, entry by entry, what is summed over examples."""
        self._outputs, self._measure = outputs, measure
        self._vectorises: bool | None = None

    def add(
        self,
        wanted: Mapping[str, Tensor],
        fixed: Mapping[str, Tensor],
        inputs: Tensor,
        grad_outputs: Tensor,
        sums: Sums | Mapping[str, Tensor],
        block: int,
    ) -> None:
        """Add Σ_s Σ_n measure(∂ sᵀz_n / ∂θ) for the parameters `wanted`; inputs [n, ...], grad_outputs [S, n, K].

        At most `block` examples have their gradients in memory at a time.
        """
        if self._vectorises is None:
            self._vectorises = self._can_vectorise(wanted, fixed, inputs[:1], grad_outputs[:1, :1])
        num_blocks = ceil(len(inputs) / block)
        for some, their_grad_outputs in zip(inputs.chunk(num_blocks), grad_outputs.chunk(num_blocks, dim=1), strict=True):
            method = self._by_vmap if self._vectorises else self._one_by_one
            for gradients in method(wanted, fixed, some, their_grad_outputs):
                for name, gradient in gradients.items():
                    sums[name].add_(self._measure(wide(gradient)).sum(0))

    def _can_vectorise(
        self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, grad_outputs: Tensor
    ) -> bool:
        if len(grad_outputs) == 0:
            return True
        try:
            next(self._by_vmap(wanted, fixed, inputs, grad_outputs))
        except Exception:  # noqa: BLE001 (networks are users' code)
            # Whatever vmap cannot trace (control flow on data, operations without a batching rule) the loop can run;
            # an error of the network itself appears there again.
            return False
        return True

    def _by_vmap(
        self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, grad_outputs: Tensor
    ) -> Iterator[dict[str, Tensor]]:
        def weighted_output(parameters: dict[str, Tensor], example: Tensor, grad_output: Tensor) -> Tensor:
            return (self._outputs({**fixed, **parameters}, example.unsqueeze(0))[0] * grad_output).sum()

        per_example = vmap(grad(weighted_output), in_dims=(None, 0, 0))
        parameters = {name: tensor.detach() for name, tensor in wanted.items()}
        for grad_output in grad_outputs:
            # Attention in plain operations, because vmap would run the fused kernel example by example.
            with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
                gradients = per_example(parameters, inputs, grad_output)
            yield gradients

    def _one_by_one(
        self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, grad_outputs: Tensor
    ) -> Iterator[dict[str, Tensor]]:
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in wanted.items()}
        for index in range(len(inputs)):
            with self._outputs.holding({**fixed, **leaves}):
                with torch.enable_grad():
                    outputs = self._outputs.of(inputs[index : index + 1])
                if not outputs.requires_grad:
                    continue
                for grad_output in grad_outputs[:, index : index + 1]:
                    # Not autograd.grad, which a reentrant checkpoint refuses.
                    torch.autograd.backward([outputs], [grad_output], retain_graph=True)
                    yield {name: _taken(leaf).unsqueeze(0) for name, leaf in leaves.items()}


def _taken(leaf: Tensor) -> Tensor:
    """The gradient of a leaf, which has none afterwards."""
    gradient, leaf.grad = leaf.grad, None
    if gradient is None:
        return torch.zeros_like(leaf, requires_grad=False)
    return gradient.to_dense() if gradient.is_sparse else gradient
