"""Looking at a network without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; afterwards each module's own mode, and the global random state, as they were.

    On CUDA, networks with recurrent layers run without cuDNN, which has no backward pass in eval mode.
    """
    modes = [(module, module.training) for module in network.modules()]
    on_cuda = sorted({tensor.device.index for tensor in network.parameters() if tensor.device.type == "cuda"})
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=on_cuda))
        if on_cuda and any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        network.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
