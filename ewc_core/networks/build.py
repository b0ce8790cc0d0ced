"""From a spec to its network."""

from __future__ import annotations

import math

import torch
from torch import nn

from ewc_core.errors import SpecError
from ewc_core.networks.conv import ConvNet
from ewc_core.networks.dropout import NO_DROPOUT, DropoutRates
from ewc_core.networks.mlp import MLP
from ewc_core.networks.plugin import build_plugin_network, try_out_plugin_network
from ewc_core.specs.network import MAX_PARAMETERS, ConvSpec, MLPSpec, NetworkSpec, PluginNetworkSpec, count_parameters


def build_network(
    spec: NetworkSpec,
    *,
    input_shape: tuple[int, ...],
    num_outputs: int,
    generator: torch.Generator,
    dropout: DropoutRates | None = None,
    is_tried: bool = False,
) -> nn.Module:
    """The network of a spec, freshly initialised, in train mode: inputs [n, *input_shape] -> outputs [n, num_outputs].

    float32 on the CPU. The same generator state gives the same weights, with dropout or without; the global generator is
    left alone. `dropout` puts dropout into networks of kinds `mlp` and `conv`; its masks come from `generator` until
    `reseed_dropout` gives another. A plug-in's network is tried out first, unless `is_tried` says that it has been.

    Raises:
        SpecError: the network does not suit the inputs, is too large, or is a plug-in's that breaks its contract.
    """
    if isinstance(spec, PluginNetworkSpec):
        if dropout is not None:
            raise SpecError("dropout goes into networks of kind 'mlp' and 'conv', not into a plug-in's", field="network.kind")
        if not is_tried:
            twin = torch.Generator()
            twin.set_state(generator.get_state())
            try_out_plugin_network(spec, input_shape=input_shape, num_outputs=num_outputs, generator=twin)
        return build_plugin_network(spec, input_shape=input_shape, num_outputs=num_outputs, generator=generator)
    _require_bearable_size(spec, input_shape, num_outputs)
    rates = dropout or NO_DROPOUT
    if isinstance(spec, MLPSpec):
        return MLP([math.prod(input_shape), *spec.hidden_sizes, num_outputs], generator, rates)
    channels, height, width = input_shape
    return ConvNet((channels, height, width), spec.channels, spec.hidden_sizes, num_outputs, generator, rates)


def _require_bearable_size(spec: MLPSpec | ConvSpec, input_shape: tuple[int, ...], num_outputs: int) -> None:
    try:
        size = count_parameters(spec, input_shape=input_shape, num_outputs=num_outputs)
    except ValueError as error:
        raise SpecError(str(error), field="network") from error
    if size is not None and size > MAX_PARAMETERS:
        raise SpecError(f"the network has {size} parameters; at most {MAX_PARAMETERS} are allowed", field="network")
