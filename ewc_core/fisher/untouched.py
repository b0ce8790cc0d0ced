"""Looking at a network and putting back what the look changed: attributes of modules, tensors, the global random state."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn


def random_state_kept(tensors: Iterable[Tensor]) -> AbstractContextManager[None]:
    """The global random state, and that of the tensors' devices, is afterwards what it was."""
    return torch.random.fork_rng(devices=sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"}))


def uncompiled() -> AbstractContextManager[Any]:
    """What `torch.compile` made runs as it was written: hooks that look at it cannot be compiled into it, and are seen."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()  # nothing is compiled; and loading it takes seconds
    eager: AbstractContextManager[None] = torch.compiler.set_stance("force_eager")
    return eager


@contextmanager
def attributes_kept(network: nn.Module) -> Iterator[None]:
    """Every attribute of every module is afterwards what it was: parameters, buffers, hooks, modes, what a forward pass noted.

    Lists and dictionaries have their old entries again; what lies deeper, and the values of tensors, are not looked at.
    """
    kept = [(vars(module), dict(vars(module))) for module in network.modules()]
    values = [value for _, before in kept for value in before.values()]
    lists = [(value, value.copy()) for value in values if isinstance(value, list)]
    dicts = [(value, value.copy()) for value in values if isinstance(value, dict)]
    try:
        yield
    finally:
        for attributes, before in [*kept, *dicts]:
            attributes.clear()
            attributes.update(before)
        for entries, first in lists:
            entries[:] = first


@contextmanager
def substituted(network: nn.Module, tensors: dict[str, Tensor]) -> Iterator[None]:
    """Inside the block the network computes with `tensors` in the place of its own of those names; afterwards with its own.

    A name stands for the tensor under all its names and in every module that holds it. A backward pass that computes parts of
    the forward pass anew (checkpointing) belongs inside the block, too. Not `torch.func.functional_call`: where one module
    has two names, that leaves the substitutes behind.
    """
    own = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    substitutes: dict[int, Any] = {id(own[name]): tensor for name, tensor in tensors.items()}
    with attributes_kept(network):
        for module in network.modules():
            for held in (module._parameters, module._buffers):
                held.update({key: substitutes[id(tensor)] for key, tensor in held.items() if id(tensor) in substitutes})
        yield


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; afterwards each module's own mode and attributes, buffers, and the global random state, as
    they were; and parameters that eval mode or a forward pass may change.

    On CUDA, networks with recurrent layers run without cuDNN, which has no backward pass in eval mode.
    """
    modes = [(module, module.training) for module in network.modules()]
    on_cuda = any(tensor.device.type == "cuda" for tensor in network.parameters())
    with ExitStack() as stack:
        stack.enter_context(random_state_kept(network.parameters()))
        stack.enter_context(attributes_kept(network))
        stack.enter_context(uncompiled())
        stack.enter_context(_values_kept([*network.buffers(), *_changeable_parameters(network)]))
        if on_cuda and any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        network.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training  # scripted modules do not have it among their attributes


@contextmanager
def _values_kept(tensors: list[Tensor]) -> Iterator[None]:
    copies = [tensor.detach().clone() for tensor in tensors]
    try:
        yield
    finally:
        for tensor, copy in zip(tensors, copies, strict=True):
            if not torch.equal(tensor, copy):  # versions do not tell: writing through `.data` leaves them alone
                tensor.detach().copy_(copy)


def _changeable_parameters(network: nn.Module) -> list[Tensor]:
    """Those of modules that do something of their own on `train()` or `eval()`, as adapters that are merged then, and of
    embeddings with `max_norm`, which shorten rows as they look them up."""
    found = {
        id(parameter): parameter
        for module in network.modules()
        if type(module).train is not nn.Module.train
        or type(module).eval is not nn.Module.eval
        or getattr(module, "max_norm", None) is not None
        for parameter in module.parameters()
    }
    return list(found.values())
