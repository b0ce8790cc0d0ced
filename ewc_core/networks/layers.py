"""Layers whose weights and biases start uniform in ±1/√inputs, drawn from an explicit generator; float32.

`inputs` is the number of values that one output unit sees.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.utils import skip_init


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A fully connected layer."""
    # skip_init: the usual constructor would draw from the global generator.
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs, dtype=torch.float32)  # type: ignore[no-untyped-call]  # untyped in torch
    _draw(layer, inputs, generator)
    return layer


def convolution(inputs: int, outputs: int, generator: torch.Generator) -> nn.Conv2d:
    """A 3x3 convolution from `inputs` to `outputs` channels that keeps height and width."""
    layer: nn.Conv2d = skip_init(nn.Conv2d, inputs, outputs, kernel_size=3, padding=1, dtype=torch.float32)  # type: ignore[no-untyped-call]  # untyped in torch
    _draw(layer, 9 * inputs, generator)
    return layer


def _draw(layer: nn.Linear | nn.Conv2d, inputs: int, generator: torch.Generator) -> None:
    bound = 1.0 / math.sqrt(inputs)
    with torch.no_grad():
        for parameter in layer.parameters():  # the weight, then the bias
            parameter.uniform_(-bound, bound, generator=generator)
