"""Layers whose parameters start uniform in ±1/√inputs, drawn from an explicit generator; float32.

`inputs` is the number of values that one output unit sees.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import nn

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)


def linear(inputs: int, outputs: int, generator: torch.Generator, *, bias: bool = True) -> nn.Linear:
    """A fully connected layer."""
    return _drawn(nn.Linear(inputs, outputs, bias=bias, device="meta"), inputs, generator)


def convolution(
    inputs: int,
    outputs: int,
    generator: torch.Generator,
    *,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 1,
    bias: bool = True,
) -> nn.Conv2d:
    """A convolution from `inputs` to `outputs` channels; by default of 3x3, which keeps height and width."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=bias, device="meta")
    return _drawn(layer, kernel * kernel * inputs, generator)


def _drawn(layer: Layer, inputs: int, generator: torch.Generator) -> Layer:
    """The layer, which is made without memory: the usual constructor would draw from the global generator. Not torch's
    `skip_init`, which loads a library of symbols: 50 MiB and a quarter of a second in each trainer."""
    bound = 1.0 / math.sqrt(inputs)
    for name, parameter in list(layer.named_parameters()):  # the weight, then the bias
        drawn = torch.empty(parameter.shape, dtype=torch.float32).uniform_(-bound, bound, generator=generator)
        setattr(layer, name, nn.Parameter(drawn))
    return layer
