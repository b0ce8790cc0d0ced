"""Networks made by installed packages: entry points of the group `ewc.networks`.

Such an entry point is an object that is called as `network(input_shape, num_outputs, options)` with the shape of one
input, the number of outputs, and the spec's `options`. It returns a new `nn.Module` that maps float32 inputs
[n, *input_shape] to float32 outputs [n, num_outputs]. Its initial weights may be drawn from torch's global generator, as
torch's own layers do: that generator is seeded for the call, and put back after it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ewc_core.errors import PluginFailed
from ewc_core.networks.contract import difference_mistakes, structure_mistakes
from ewc_core.networks.guarded import GuardedForward, message_start
from ewc_core.networks.tryout import Tryout
from ewc_core.plugins import load_plugin
from ewc_core.random_states import random_states_kept
from ewc_core.specs.network import NETWORK_PLUGINS, PluginNetworkSpec
from ewc_core.user_code import users_code

_MAX_SEED = 2**63 - 1


def build_plugin_network(
    spec: PluginNetworkSpec, *, input_shape: tuple[int, ...], num_outputs: int, generator: torch.Generator
) -> nn.Module:
    """The plug-in's network, in train mode, with initial weights that follow from `generator` alone; nothing runs through it.

    The plug-in is called twice with one seed, to see that it can be relied on to give the same network again.

    Raises:
        SpecError: no such plug-in (PluginFailed: it raises, or what it returns breaks the contract; the message names it).
    """
    first, second = _two(spec, input_shape, num_outputs, generator)
    mistakes = structure_mistakes(first) or difference_mistakes(first, second)
    if mistakes:
        raise _broken(spec.name, mistakes)
    second.train()
    return second


def try_out_plugin_network(
    spec: PluginNetworkSpec,
    *,
    input_shape: tuple[int, ...],
    num_outputs: int,
    generator: torch.Generator,
    examples: Tensor | None = None,
    rehearse: Callable[[Tryout], None] | None = None,
) -> None:
    """Run two networks of the plug-in as a job will, and throw them away; `generator` is left as `build_plugin_network` does.

    `examples` [n, *input_shape], n >= 3, are what its forward pass is tried with (None: made up); `rehearse` then does with
    the network what else the job will do. The random states of torch, numpy and Python are put back.

    Raises:
        SpecError: as `build_plugin_network` (PluginFailed: all mistakes at once).
    """
    first, second = _two(spec, input_shape, num_outputs, generator)
    tryout = Tryout(first, second, first.__dict__["forward"])
    for mistake in structure_mistakes(first) or difference_mistakes(first, second):
        tryout.note(mistake)
    if not tryout.mistakes:
        with random_states_kept():
            torch.default_generator.manual_seed(0)  # not torch.manual_seed, which would reseed every GPU as well
            tryout.run(torch.rand(3, *input_shape) if examples is None else examples)
            if rehearse is not None:
                rehearse(tryout)
    if tryout.mistakes:
        raise _broken(spec.name, tryout.mistakes)


def _two(
    spec: PluginNetworkSpec, input_shape: tuple[int, ...], num_outputs: int, generator: torch.Generator
) -> tuple[nn.Module, nn.Module]:
    make = load_plugin(NETWORK_PLUGINS, spec.name, field="network.name")
    seed = int(torch.randint(_MAX_SEED, (), generator=generator))
    what = (
        f"plug-in network {spec.name!r} with options {spec.options}, for inputs of shape {list(input_shape)} and {num_outputs} "
        "outputs,"
    )

    def call() -> nn.Module:
        torch.default_generator.manual_seed(seed)
        with users_code(what, failed=PluginFailed, field="network"):
            made: Any = make(input_shape, num_outputs, copy.deepcopy(spec.options))
        if not isinstance(made, nn.Module):
            raise _broken(spec.name, [f"it returned {type(made).__name__}, expected a torch.nn.Module"])
        if isinstance(made, torch.jit.ScriptModule):
            raise _broken(spec.name, [f"it returned a {type(made).__name__}, expected the nn.Module that it was made from"])
        if not isinstance(made.__dict__.get("forward"), GuardedForward):
            made.forward = GuardedForward(made, spec.name, num_outputs)
        return made

    with random_states_kept():  # one block for both: what draws from numpy or Python gives two networks that differ
        return call(), call()


def _broken(name: str, mistakes: list[str]) -> PluginFailed:
    if len(mistakes) == 1:
        return PluginFailed(message_start(name) + mistakes[0], field="network")
    numbered = "; ".join(f"({number}) {mistake}" for number, mistake in enumerate(mistakes, start=1))
    return PluginFailed(f"{message_start(name)}{len(mistakes)} mistakes: {numbered}", field="network")
