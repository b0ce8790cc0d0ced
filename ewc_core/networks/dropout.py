"""Dropout whose masks come from an explicit generator, so that a run can be repeated and resumed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DropoutRates:
    """Probabilities in [0, 1) with which inputs, and units of hidden layers, are silenced in training."""

    input_rate: float
    hidden_rate: float


NO_DROPOUT = DropoutRates(input_rate=0.0, hidden_rate=0.0)


class SeededDropout(nn.Module):
    """Inverted dropout: in train mode y = x ⊙ mask / (1 − rate), mask ~ Bernoulli(1 − rate), so that E[y] = x.

    The identity in eval mode and with rate 0. Each call in train mode draws one mask of the input's shape from
    `generator`, on the generator's device: the masks are the same wherever the network is trained.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self.rate = rate
        self.generator = generator

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape -> the same shape and dtype."""
        if not self.training or self.rate == 0.0:
            return inputs
        draws = torch.rand(inputs.shape, generator=self.generator, device=self.generator.device)
        return inputs * (draws >= self.rate).to(inputs) / (1.0 - self.rate)

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"rate={self.rate}"


def reseed_dropout(network: nn.Module, generator: torch.Generator) -> None:
    """Let every dropout layer of the network draw its masks from this generator from now on, in the order of the calls."""
    for module in network.modules():
        if isinstance(module, SeededDropout):
            module.generator = generator
