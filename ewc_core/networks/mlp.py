"""The fully connected ReLU network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ewc_core.networks.dropout import NO_DROPOUT, DropoutRates, SeededDropout
from ewc_core.networks.layers import linear


class MLP(nn.Module):
    """Fully connected layers with ReLU between them: [n, ...] -> outputs [n, `sizes[-1]`].

    Inputs are flattened to `sizes[0]` features. With `dropout`, features are silenced before the first layer and hidden
    units after their ReLU. Weights and biases start uniform in ±1/√inputs, drawn from `generator` in layer order;
    float32. Masks are drawn from the same generator until `reseed_dropout` gives another.
    """

    def __init__(self, sizes: Sequence[int], generator: torch.Generator, dropout: DropoutRates = NO_DROPOUT) -> None:
        super().__init__()
        self.layers = nn.ModuleList(linear(inputs, outputs, generator) for inputs, outputs in pairwise(sizes))
        self.input_dropout = SeededDropout(dropout.input_rate, generator)
        self.hidden_dropout = SeededDropout(dropout.hidden_rate, generator)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [n, sizes[-1]] of inputs [n, ...]."""
        *hidden_layers, last = self.layers
        hidden = self.input_dropout(inputs.flatten(1))
        for layer in hidden_layers:
            hidden = self.hidden_dropout(torch.relu(layer(hidden)))
        outputs: Tensor = last(hidden)
        return outputs
