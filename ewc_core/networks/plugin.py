"""Networks made by installed packages: entry points of the group `ewc.networks`.

Such an entry point is an object that is called as `network(input_shape, num_outputs, options)` with the shape of one
input, the number of outputs, and the spec's `options`. It returns a new `nn.Module` that maps float32 inputs
[n, *input_shape] to float32 outputs [n, num_outputs]. Its initial weights may be drawn from torch's global generator, as
torch's own layers do: that generator is seeded for the call, and put back after it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ewc_core.errors import SpecError
from ewc_core.networks.contract import require_fresh_and_repeatable, require_network, try_out
from ewc_core.plugins import load_plugin
from ewc_core.specs.network import NETWORK_PLUGINS, PluginNetworkSpec

_MAX_SEED = 2**63 - 1


def build_plugin_network(
    spec: PluginNetworkSpec, *, input_shape: tuple[int, ...], num_outputs: int, generator: torch.Generator
) -> nn.Module:
    """The plug-in's network, in train mode, with initial weights that follow from `generator` alone.

    The plug-in is called twice with one seed. The first network is tried out; the second one must be its equal, and is
    returned untouched.

    Raises:
        SpecError: no such plug-in, it raises, or what it returns breaks the contract; the message names the plug-in.
    """
    make = load_plugin(NETWORK_PLUGINS, spec.name, field="network.name")
    seed = int(torch.randint(_MAX_SEED, (), generator=generator))
    with _global_generator_seeded(seed):
        tried = require_network(_call(make, spec, input_shape, num_outputs), spec.name)
    with _global_generator_seeded(seed):
        network = require_network(_call(make, spec, input_shape, num_outputs), spec.name)
    require_fresh_and_repeatable(tried, network, spec.name)
    with _global_generator_seeded(seed):
        try_out(tried, spec.name, input_shape=input_shape, num_outputs=num_outputs)
    return network.train()


def _call(make: Callable[..., Any], spec: PluginNetworkSpec, input_shape: tuple[int, ...], num_outputs: int) -> Any:
    try:
        return make(input_shape, num_outputs, copy.deepcopy(spec.options))
    except Exception as error:  # a user's function: whatever it raises is the plug-in's error
        raise SpecError(
            f"plug-in network {spec.name!r} with options {spec.options}, for inputs of shape {list(input_shape)} and "
            f"{num_outputs} outputs, raised {type(error).__name__}: {error}",
            field="network",
        ) from error


@contextmanager
def _global_generator_seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed, which would reseed every GPU as well
        yield
