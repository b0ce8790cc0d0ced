"""The fully connected ReLU network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ewc_core.specs import MLPSpec


class MLP(nn.Module):
    """Fully connected layers with ReLU between them: [n, features] -> logits [n, classes].

    Weights and biases start uniform in ±1/√inputs, drawn from `generator` in layer order; float32.
    """

    def __init__(self, sizes: Sequence[int], generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_linear(inputs, outputs, generator) for inputs, outputs in pairwise(sizes))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [n, classes] of inputs [n, features]."""
        hidden = inputs
        for layer in list(self.layers)[:-1]:
            hidden = torch.relu(layer(hidden))
        logits: Tensor = self.layers[-1](hidden)
        return logits


def build_network(spec: MLPSpec, *, num_features: int, num_classes: int, generator: torch.Generator) -> MLP:
    """The network of a spec, freshly initialised; the same generator state gives the same weights."""
    return MLP([num_features, *spec.hidden_sizes, num_classes], generator)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    # skip_init: the usual constructor would draw from the global generator.
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs, dtype=torch.float32)  # type: ignore[no-untyped-call]  # untyped in torch
    bound = 1.0 / math.sqrt(inputs)
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=generator)
        layer.bias.uniform_(-bound, bound, generator=generator)
    return layer
