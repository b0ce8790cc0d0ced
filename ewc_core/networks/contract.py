"""What a user's network must hold to: what can be seen of it before anything runs through it.

Everything that training changes must be in the network's parameters: only they are in anchors, Fishers and resume points.
And an example's outputs must depend on that example alone: the Fisher is a mean over examples of per-example squares.
`tryout.py` looks for the rest by running it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ewc_core.specs.network import MAX_PARAMETERS


def structure_mistakes(network: nn.Module) -> list[str]:
    """Why it is no network with trainable float32 parameters on the CPU, none sharing memory; empty if it is one."""
    parameters = dict(network.named_parameters())
    if not parameters:
        return [f"its {type(network).__name__} has no parameters"]
    lazy = [key for key, parameter in parameters.items() if is_lazy(parameter)]
    if lazy:
        return [f"parameter {key!r} has no size yet; use layers with sizes, which `input_shape` gives" for key in lazy]
    mistakes = []
    for key, parameter in parameters.items():
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            mistakes.append(f"parameter {key!r} is {parameter.dtype} on {parameter.device}, expected torch.float32 on cpu")
        if not parameter.requires_grad:
            mistakes.append(f"parameter {key!r} requires no gradient; register a constant as a buffer")
    size = sum(parameter.numel() for parameter in parameters.values())
    if size > MAX_PARAMETERS:
        mistakes.append(f"it has {size} parameters; at most {MAX_PARAMETERS} are allowed")
    return mistakes + list(_shared_memory(network))


def difference_mistakes(first: nn.Module, second: nn.Module) -> list[str]:
    """Why they are not two networks that one seed made, with the same parameters and buffers, bit for bit."""
    if {id(parameter) for parameter in first.parameters()} & {id(parameter) for parameter in second.parameters()}:
        return ["two calls returned the same parameters; every call must make a new network"]
    tensors, others = dict(_tensors(first)), dict(_tensors(second))
    if tensors.keys() != others.keys() or any(not torch.equal(tensors[key], others[key]) for key in tensors):
        return ["two calls with one seed gave different weights; draw them from torch's global generator only"]
    return []


def _shared_memory(network: nn.Module) -> Iterator[str]:
    """A tied weight is one nn.Parameter under two names; two that share memory would come apart in the flat vector."""
    spans = []
    for key, tensor in _tensors(network):
        if any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
            yield f"{key!r} of shape {list(tensor.shape)} repeats one value in memory; clone it"
        elif tensor.numel() > 0:
            last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
            start = tensor.data_ptr()
            spans.append((start, start + (last + 1) * tensor.element_size(), key))
    spans.sort()
    for (_, stop, key), (start, _, other) in pairwise(spans):
        if start < stop:
            yield f"{key!r} and {other!r} share memory; to tie weights, use one nn.Parameter under both names"


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers; each tensor once, under its first name."""
    yield from network.named_parameters()
    yield from network.named_buffers()
