"""Recording what the modules of a network are called with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from ewc_core.fisher.recurrent import Recurrent, plain_forward
from ewc_core.fisher.trace import Call
from ewc_core.fisher.untouched import attributes_kept


@contextmanager
def recorded(network: nn.Module, modules: Mapping[str, nn.Module]) -> Iterator[Mapping[str, list[Call]]]:
    """Record every call of the network's `modules` inside the block, by name; of a recurrent layer those of its parts, which
    are named as `part_name` says. Hooks are gone afterwards.

    A call that is not differentiable, or not of one tensor to one tensor, is left out.
    """
    calls: defaultdict[str, list[Call]] = defaultdict(list)

    def hook(name: str, module: nn.Module, arguments: tuple[object, ...], output: object) -> None:
        inputs = arguments[0] if len(arguments) == 1 else None
        if isinstance(inputs, Tensor) and isinstance(output, Tensor) and output.requires_grad:
            calls[name].append(Call(inputs.detach(), inputs._version, output.shape, get_gradient_edge(output)))

    def note(name: str, suffix: str, call: Call) -> None:
        calls[part_name(name, suffix)].append(call)

    with attributes_kept(network):
        for name, module in modules.items():
            if isinstance(module, Recurrent):
                vars(module)["forward"] = partial(plain_forward, module, partial(note, name))
            else:
                module.register_forward_hook(partial(hook, name))
        yield calls


def part_name(name: str, suffix: str) -> str:
    """The name of one layer in one direction of the recurrent layer `name`; no module can have it."""
    return f"{name}:{suffix}"
