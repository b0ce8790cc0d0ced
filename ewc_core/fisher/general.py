"""Per-example gradients for any module: by vmap where it can trace the network, else one example after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from math import ceil

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from ewc_core.errors import PluginFailed
from ewc_core.fisher.forms import wide
from ewc_core.fisher.sums import Sums

Outputs = Callable[[Mapping[str, Tensor], Tensor], Tensor]


class GeneralMethod:
    """Adds squared per-example gradients of sᵀz; remembers whether vmap can trace the network.

    `outputs(tensors, inputs)` gives the outputs [n, K] that the likelihood sees, with parameters by name.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._vectorises: bool | None = None

    def add(
        self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, seeds: Tensor, sums: Sums, block: int
    ) -> None:
        """Add Σ_seeds Σ_n (∂ sᵀz_n / ∂θ)² for the parameters `wanted`; inputs [n, ...], seeds [S, n, K].

        At most `block` examples have their gradients in memory at a time.
        """
        if self._vectorises is None:
            self._vectorises = self._can_vectorise(wanted, fixed, inputs[:1], seeds[:1, :1])
        num_blocks = ceil(len(inputs) / block)
        for some, their_seeds in zip(inputs.chunk(num_blocks), seeds.chunk(num_blocks, dim=1), strict=True):
            method = self._by_vmap if self._vectorises else self._one_by_one
            for gradients in method(wanted, fixed, some, their_seeds):
                for name, gradient in gradients.items():
                    sums[name].add_(wide(gradient).square().sum(0))

    def _can_vectorise(self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, seeds: Tensor) -> bool:
        if len(seeds) == 0:
            return True
        try:
            next(self._by_vmap(wanted, fixed, inputs, seeds))
        except (RuntimeError, TypeError, ValueError, PluginFailed):
            # Whatever vmap cannot trace (control flow on data, operations without a batching rule) the loop can run;
            # an error of the network itself appears there again.
            return False
        return True

    def _by_vmap(
        self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, seeds: Tensor
    ) -> Iterator[dict[str, Tensor]]:
        def seeded(parameters: dict[str, Tensor], example: Tensor, seed: Tensor) -> Tensor:
            return (self._outputs({**fixed, **parameters}, example.unsqueeze(0))[0] * seed).sum()

        per_example = vmap(grad(seeded), in_dims=(None, 0, 0))
        parameters = {name: tensor.detach() for name, tensor in wanted.items()}
        for seed in seeds:
            # Attention in plain operations, because vmap would run the fused kernel example by example.
            with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
                gradients = per_example(parameters, inputs, seed)
            yield gradients

    def _one_by_one(
        self, wanted: Mapping[str, Tensor], fixed: Mapping[str, Tensor], inputs: Tensor, seeds: Tensor
    ) -> Iterator[dict[str, Tensor]]:
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in wanted.items()}
        for index in range(len(inputs)):
            with torch.enable_grad():
                outputs = self._outputs({**fixed, **leaves}, inputs[index : index + 1])
            if not outputs.requires_grad:
                continue
            for seed in seeds[:, index : index + 1]:
                gradients = torch.autograd.grad(
                    [outputs], list(leaves.values()), [seed], retain_graph=True, materialize_grads=True
                )
                dense = (gradient.to_dense() if gradient.is_sparse else gradient for gradient in gradients)
                yield {name: gradient.unsqueeze(0) for name, gradient in zip(leaves, dense, strict=True)}


def outputs_of(network: nn.Module, select: Callable[[Tensor], Tensor] | None) -> Outputs:
    """The network as a function of its tensors by name and of inputs."""

    def outputs(tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        raw: Tensor = functional_call(network, dict(tensors), (inputs,))
        return raw if select is None else select(raw)

    return outputs
