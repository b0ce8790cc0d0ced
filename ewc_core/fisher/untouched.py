"""Looking at a network without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from torch import Tensor, nn


def random_state_kept(tensors: Iterable[Tensor]) -> AbstractContextManager[None]:
    """The global random state, and that of the tensors' devices, is afterwards what it was."""
    return torch.random.fork_rng(devices=sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"}))


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; afterwards each module's own mode, and the global random state, as they were.

    On CUDA, networks with recurrent layers run without cuDNN, which has no backward pass in eval mode.
    """
    modes = [(module, module.training) for module in network.modules()]
    on_cuda = any(tensor.device.type == "cuda" for tensor in network.parameters())
    with ExitStack() as stack:
        stack.enter_context(random_state_kept(network.parameters()))
        if on_cuda and any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        network.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
