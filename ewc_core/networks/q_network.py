"""Q-networks whose layers have a bias and a gain of their own for every task, over shared weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ewc_core.errors import SpecError
from ewc_core.networks.layers import convolution, linear
from ewc_core.specs.agent import DQN_SIZES, DQNNetworkSpec, QConvSpec, QMLPSpec, QNetworkSpec

_BYTE_SCALE = 1.0 / 255.0
_DQN_KERNELS = ((8, 4), (4, 2), (3, 1))  # size, stride


class GainLayer(nn.Module):
    """y = (Wx + b) ⊙ g (Kirkpatrick et al. 2017, S34): W shared, `bias` and `gain` of the current task, one each per output
    unit, or per feature map of a convolution. They are bare parameters, so that the Fisher has closed forms for W."""

    def __init__(self, weight: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        self.weight = weight
        shape = (weight.out_features,) if isinstance(weight, nn.Linear) else (weight.out_channels, 1, 1)
        self.bias = nn.Parameter(torch.zeros(shape))
        self.gain = nn.Parameter(torch.ones(shape))

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs [n, ...] to outputs [n, ...], before the nonlinearity."""
        outputs: Tensor = (self.weight(inputs) + self.bias) * self.gain
        return outputs


class QNetwork(nn.Module):
    """Stacks of frames [n, history, ...] to Q-values [n, num_actions], ReLU between layers.

    uint8 frames are scaled to [0, 1]. Inputs are flattened for a fully connected first layer; for a convolution all
    dimensions before the last two are channels.
    """

    def __init__(self, layers: Sequence[GainLayer], *, num_channels: int | None) -> None:
        """`num_channels` is None when the first layer is fully connected."""
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self._num_channels = num_channels

    def forward(self, states: Tensor) -> Tensor:
        """States uint8 or float32 [n, history, ...] to Q-values float32 [n, num_actions]."""
        x = self.inputs_of(states, for_gradient=torch.is_grad_enabled())
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            if x.dim() == 4 and isinstance(layer.weight, nn.Linear):
                x = x.flatten(1)
            x = layer(x)
            if number != last:
                x = torch.relu(x)
        return x

    def inputs_of(self, states: Tensor, *, for_gradient: bool) -> Tensor:
        """What the first layer sees of states: float32, flat or as channels; laid out for a backward pass if one follows."""
        x = states.float().mul_(_BYTE_SCALE) if states.dtype == torch.uint8 else states
        if self._num_channels is None:
            return x.flatten(1)
        x = x.reshape(len(x), self._num_channels, *x.shape[-2:])
        if for_gradient:  # on a CPU the first convolution's backward pass takes about half the time then
            x = x.contiguous(memory_format=torch.channels_last)
        return x


def build_q_network(
    spec: QNetworkSpec, *, input_shape: tuple[int, ...], num_actions: int, generator: torch.Generator
) -> QNetwork:
    """A network with weights uniform in ±1/√fan_in, biases 0 and gains 1.

    Raises:
        SpecError: a convolutional network on frames that are no images, or of another size than it is made for.
    """
    if isinstance(spec, QMLPSpec):
        sizes = [math.prod(input_shape), *spec.hidden_sizes, num_actions]
        return QNetwork([_linear(a, b, generator) for a, b in pairwise(sizes)], num_channels=None)
    if len(input_shape) < 3:
        raise SpecError(
            f"network.kind {spec.kind!r} needs images, the tasks' stacks of frames have shape {input_shape}", field="network"
        )
    channels = math.prod(input_shape[:-2])
    height, width = input_shape[-2:]
    if isinstance(spec, QConvSpec):
        if min(height, width) < 3:
            raise SpecError(f"network.kind 'conv' needs images of 3x3 or more, frames have {height}x{width}", field="network")
        flat = spec.channels * (height - 2) * (width - 2)
        layers = [_convolution(channels, spec.channels, 3, 1, generator)]
        layers += [_linear(flat, spec.hidden_size, generator), _linear(spec.hidden_size, num_actions, generator)]
        return QNetwork(layers, num_channels=channels)
    if (height, width) != (84, 84):
        raise SpecError(f"network.kind 'dqn' is made for frames of 84x84, the tasks' have {height}x{width}", field="network")
    return _dqn(spec, channels, num_actions, generator)


def shared_names(network: nn.Module) -> tuple[str, ...]:
    """Names of the parameters that all tasks share: the weights W."""
    return tuple(name for name, _ in network.named_parameters() if name.endswith(".weight.weight"))


def _dqn(spec: DQNNetworkSpec, channels: int, num_actions: int, generator: torch.Generator) -> QNetwork:
    maps, hidden = DQN_SIZES[spec.size]
    layers, inputs, side = [], channels, 84
    for outputs, (kernel, stride) in zip(maps, _DQN_KERNELS, strict=True):
        layers.append(_convolution(inputs, outputs, kernel, stride, generator))
        inputs, side = outputs, (side - kernel) // stride + 1
    layers += [_linear(inputs * side * side, hidden, generator), _linear(hidden, num_actions, generator)]
    return QNetwork(layers, num_channels=channels)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> GainLayer:
    return GainLayer(linear(inputs, outputs, generator, bias=False))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int, generator: torch.Generator) -> GainLayer:
    return GainLayer(convolution(inputs, outputs, generator, kernel=kernel, stride=stride, padding=0, bias=False))
