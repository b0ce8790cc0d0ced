"""Passes through a Q-network without autograd, whose bookkeeping costs more than the arithmetic of a small network.

A layer is u = W∗x + b, y = u ⊙ g, and ReLU between layers. With dy = ∂L/∂y, and sums Σ over examples (and places of a map):

    dg = Σ dy ⊙ u        db = g ⊙ Σ dy        dW = g ⊙ Σ dy xᵀ        dx = Wᵀ (g ⊙ dy), 0 where x = 0

A map has many places and few weights, so a convolution never touches its outputs for the sake of the gain: it computes with
g ⊙ W and g ⊙ b, and Σ dy ⊙ u = Σ_j W_j (Σ dy xᵀ)_j + b Σ dy.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ewc_core.errors import ParameterMismatch
from ewc_core.networks.q_network import GainLayer, QNetwork


class Trace(NamedTuple):
    """What a backward pass needs: every layer's inputs x, and what the layer kept of its forward pass."""

    inputs: list[Tensor]
    kept: list[Tensor]


class QPasses:
    """Values and gradients of a network whose parameters and their `.grad` stay where they are in memory (`FlatParameters`)."""

    def __init__(self, network: QNetwork) -> None:
        """Raises ParameterMismatch when a parameter has no `.grad` to write to."""
        self._network = network
        self._layers = [_pass_of(layer) for layer in network.layers if isinstance(layer, GainLayer)]

    @torch.no_grad()
    def values(self, states: Tensor) -> Tensor:
        """Q-values [n, num_actions] of stacks [n, *input_shape]."""
        return self._forward(states, None)

    @torch.no_grad()
    def trace(self, states: Tensor) -> tuple[Tensor, Trace]:
        """As `values`, with what `write_gradient` needs."""
        trace = Trace([], [])
        return self._forward(states, trace), trace

    @torch.no_grad()
    def write_gradient(self, trace: Trace, gradient: Tensor) -> None:
        """Overwrite the `.grad` of every parameter with ∂L/∂θ; `gradient` [n, num_actions] is ∂L/∂Q of what was traced.
        Parameters must not have changed since."""
        for number in range(len(self._layers) - 1, -1, -1):
            inputs = trace.inputs[number]
            before = self._layers[number].write_gradient(inputs, trace.kept[number], gradient, is_first=number == 0)
            if before is not None:
                gradient = torch.ops.aten.threshold_backward(before, inputs, 0)

    def _forward(self, states: Tensor, trace: Trace | None) -> Tensor:
        x = self._network.inputs_of(states, for_gradient=trace is not None)
        last = len(self._layers) - 1
        for number, layer in enumerate(self._layers):
            y, kept = layer.forward(x)
            if trace is not None:
                trace.inputs.append(x)
                trace.kept.append(kept)
            x = y if number == last else y.relu_()
        return x


class _LayerPass(Protocol):
    """One `GainLayer`, by its tensors: looking them up in the module takes longer than a small multiplication."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, and what the backward pass needs beside x."""

    def write_gradient(self, x: Tensor, kept: Tensor, gradient: Tensor, *, is_first: bool) -> Tensor | None:
        """Write dg, db and dW; returns dx, where x = 0 included, shaped as x. None for the first layer: nobody needs it."""


class _LinearPass:
    """Keeps u."""

    def __init__(self, layer: GainLayer, module: nn.Linear) -> None:
        self._weight, self._weight_gradient = _with_gradient(module.weight)
        self._bias, self._bias_gradient = _with_gradient(layer.bias)
        self._gain, self._gain_gradient = _with_gradient(layer.gain)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = torch.addmm(self._bias, x.flatten(1), self._weight.t())
        return u * self._gain, u

    def write_gradient(self, x: Tensor, kept: Tensor, gradient: Tensor, *, is_first: bool) -> Tensor | None:
        torch.sum(gradient * kept, dim=0, out=self._gain_gradient)
        gradient = gradient * self._gain
        torch.sum(gradient, dim=0, out=self._bias_gradient)
        torch.mm(gradient.t(), x.flatten(1), out=self._weight_gradient)
        return None if is_first else gradient.mm(self._weight).view(x.shape)


class _ConvolutionPass:
    """Keeps g ⊙ W."""

    def __init__(self, layer: GainLayer, module: nn.Conv2d) -> None:
        self._weight, self._weight_gradient = _with_gradient(module.weight)
        self._bias, self._bias_gradient = _with_gradient(layer.bias)
        self._gain, self._gain_gradient = _with_gradient(layer.gain)
        self._stride = module.stride

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weight = self._weight * self._gain.unsqueeze(-1)
        return functional.conv2d(x, weight, (self._bias * self._gain).flatten(), stride=self._stride), weight

    def write_gradient(self, x: Tensor, kept: Tensor, gradient: Tensor, *, is_first: bool) -> Tensor | None:
        num_maps, place = len(kept), (-1, 1, 1)
        sides: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            gradient, x, kept, [num_maps], self._stride, [0, 0], [1, 1], False, [0, 0], 1, [not is_first, True, True]
        )
        before, products, sums = sides[0], sides[1], sides[2].view(place)
        torch.add((self._weight * products).sum(dim=(1, 2, 3)).view(place), self._bias * sums, out=self._gain_gradient)
        torch.mul(sums, self._gain, out=self._bias_gradient)
        torch.mul(products, self._gain.unsqueeze(-1), out=self._weight_gradient)
        return None if is_first else before


def _pass_of(layer: GainLayer) -> _LayerPass:
    module = layer.weight
    return _ConvolutionPass(layer, module) if isinstance(module, nn.Conv2d) else _LinearPass(layer, module)


def _with_gradient(parameter: Tensor) -> tuple[Tensor, Tensor]:
    if parameter.grad is None:
        raise ParameterMismatch(f"a parameter of shape {tuple(parameter.shape)} has no gradient to write to")
    return parameter.detach(), parameter.grad
