"""Networks that a job can train."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ewc_core.specs.base import Spec
from ewc_core.specs.plugins import Options

MAX_PARAMETERS = 1_000_000_000
"""A bound of sanity. What a job may take is a limit of whoever runs the service."""
NETWORK_PLUGINS = "ewc.networks"  # the entry point group
Size = Annotated[int, Field(ge=1, le=16384)]


class MLPSpec(Spec):
    """Fully connected ReLU network: features -> hidden sizes -> outputs. No hidden size means a linear one."""

    kind: Literal["mlp"] = "mlp"
    hidden_sizes: list[Size] = Field(default=[100, 100], max_length=16)


class ConvSpec(Spec):
    """Small convolutional ReLU network for images: each channel count adds a 3x3 convolution and a 2x2 max pooling, then
    come fully connected layers of `hidden_sizes`."""

    kind: Literal["conv"]
    channels: list[Annotated[int, Field(ge=1, le=1024)]] = Field(default=[16, 32], min_length=1, max_length=8)
    hidden_sizes: list[Size] = Field(default=[128], max_length=16)


class PluginNetworkSpec(Spec):
    """A network made by an installed package: an entry point of the group `ewc.networks`."""

    kind: Literal["plugin"]
    name: Annotated[str, Field(min_length=1, max_length=128)]
    options: Options = Field(default={}, max_length=32)


def _kind_of_network(value: Any) -> str | None:
    kind = value.get("kind", "mlp") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


NetworkSpec = Annotated[
    Annotated[MLPSpec, Tag("mlp")] | Annotated[ConvSpec, Tag("conv")] | Annotated[PluginNetworkSpec, Tag("plugin")],
    Discriminator(
        _kind_of_network,
        custom_error_type="network_kind",
        custom_error_message="a network's 'kind' is 'mlp' (the default), 'conv' or 'plugin'",
    ),
]


def count_parameters(network: NetworkSpec, *, input_shape: tuple[int, ...], num_outputs: int) -> int | None:
    """Number of weights and biases; None for a plug-in's network.

    Raises:
        ValueError: a convolutional network on inputs that are no images, or that are too small for its poolings.
    """
    if isinstance(network, PluginNetworkSpec):
        return None
    if isinstance(network, MLPSpec):
        return _fully_connected([math.prod(input_shape), *network.hidden_sizes, num_outputs])
    channels = [conv_input_channels(network, input_shape), *network.channels]
    height, width = (size >> len(network.channels) for size in input_shape[-2:])
    convolutions = sum((9 * inputs + 1) * outputs for inputs, outputs in pairwise(channels))
    return convolutions + _fully_connected([channels[-1] * height * width, *network.hidden_sizes, num_outputs])


def conv_input_channels(network: ConvSpec, input_shape: tuple[int, ...]) -> int:
    """Channels of the images that the network gets.

    Raises:
        ValueError: the inputs are no images [channels, height, width], or too small.
    """
    if len(input_shape) != 3:
        raise ValueError(
            f"network.kind 'conv' needs images [channels, height, width], the task's inputs have shape {input_shape}"
        )
    if min(input_shape[-2:]) >> len(network.channels) < 1:
        raise ValueError(
            f"network.channels {network.channels} halve the image {len(network.channels)} times; "
            f"inputs of {input_shape[-2]}x{input_shape[-1]} are too small for that"
        )
    return input_shape[0]


def _fully_connected(sizes: list[int]) -> int:
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
