"""Which Linear layers have the closed form, and what it needs of a forward pass.

For a Linear that each example passes through once, the per-example gradient is the outer product of δ (at its output)
and a (its input), so that the sum of squares over examples is (δ²)ᵀ(a²), without any per-example gradient in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call


@dataclass
class LinearTrace:
    """One forward pass through one Linear: a² [n, in], and where to ask for the gradient by its output."""

    squared_inputs: Tensor
    output_edge: GradientEdge


@contextmanager
def traced(layers: Mapping[str, nn.Linear]) -> Iterator[dict[str, list[LinearTrace]]]:
    """Record every call of `layers` inside the block, by layer name. The hooks are gone afterwards.

    The edge and a² are taken at the call itself, so an in-place operation after the layer cannot falsify them.
    """
    traces: dict[str, list[LinearTrace]] = {name: [] for name in layers}

    def record(name: str) -> object:
        def hook(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
            traces[name].append(LinearTrace(arguments[0].detach().square(), get_gradient_edge(output)))

        return layers[name].register_forward_hook(hook)

    handles = [record(name) for name in layers]
    try:
        yield traces
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]  # torch types it as object


def closed_form_layers(network: nn.Module, leaves: Mapping[str, Tensor], inputs: Tensor) -> dict[str, nn.Linear]:
    """The Linear layers, by module name, for which the closed form is exact; found by running `inputs` [n, ...].

    Such a layer is called once on a [n, in] input, nothing has hooked it, and its parameters enter the graph nowhere
    else (so tied and reused weights are left to the general method). `leaves` are the parameters as graph leaves.
    """
    candidates = {name: module for name, module in network.named_modules() if _is_plain_linear(name, module, leaves)}
    for size in {min(len(inputs), 2), min(len(inputs), 3)}:
        # Two sizes: a tensor whose first dimension equals the batch size by chance does not do so twice.
        with traced(candidates) as traces:
            logits = functional_call(network, dict(leaves), (inputs[:size],))
        uses = _uses_in_graph(logits)
        candidates = {
            name: module
            for name, module in candidates.items()
            if len(traces[name]) == 1
            and traces[name][0].squared_inputs.shape == (size, module.in_features)
            and all(uses[id(leaves[parameter])] == 1 for parameter in parameter_names(name, module))
        }
    return candidates


def parameter_names(layer_name: str, layer: nn.Linear) -> list[str]:
    """Full names of the layer's parameters: the weight, and the bias if it has one."""
    prefix = f"{layer_name}." if layer_name else ""
    return [f"{prefix}weight"] if layer.bias is None else [f"{prefix}weight", f"{prefix}bias"]


def _is_plain_linear(name: str, module: nn.Module, leaves: Mapping[str, Tensor]) -> bool:
    if type(module) is not nn.Linear or module._forward_hooks or module._forward_pre_hooks:
        return False
    return all(parameter in leaves for parameter in parameter_names(name, module))


def _uses_in_graph(output: Tensor) -> Counter[int]:
    """How many edges of the autograd graph lead to each leaf tensor, by id of the leaf."""
    uses: Counter[int] = Counter()
    seen: set[torch.autograd.graph.Node] = set()
    waiting = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for following, _ in node.next_functions:
            if following is not None and hasattr(following, "variable"):
                uses[id(following.variable)] += 1
            waiting.append(following)
    return uses
