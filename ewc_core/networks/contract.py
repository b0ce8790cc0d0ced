"""What a user's network must hold to, checked before a job trains it.

Everything that training changes must be in the network's parameters: only they are in anchors, Fishers and resume points.
And an example's outputs must depend on that example alone: the Fisher is a mean over examples of per-example squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ewc_core.errors import SpecError
from ewc_core.params import FlatParameters
from ewc_core.specs.network import MAX_PARAMETERS


def require_network(returned: object, name: str) -> nn.Module:
    """What plug-in `name` returned, if it is a network with trainable float32 parameters on the CPU, none sharing memory.

    Raises:
        SpecError: it is not.
    """
    if not isinstance(returned, nn.Module):
        raise _broken(name, f"it returned {type(returned).__name__}, expected a torch.nn.Module")
    parameters = dict(returned.named_parameters())
    if not parameters:
        raise _broken(name, f"its {type(returned).__name__} has no parameters")
    for key, parameter in parameters.items():
        if is_lazy(parameter):
            raise _broken(name, f"parameter {key!r} has no size yet; use layers with sizes, which `input_shape` gives")
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            raise _broken(name, f"parameter {key!r} is {parameter.dtype} on {parameter.device}, expected torch.float32 on cpu")
        if not parameter.requires_grad:
            raise _broken(name, f"parameter {key!r} requires no gradient; register a constant as a buffer")
    size = sum(parameter.numel() for parameter in parameters.values())
    if size > MAX_PARAMETERS:
        raise _broken(name, f"it has {size} parameters; at most {MAX_PARAMETERS} are allowed")
    _require_memory_of_its_own(returned, name)
    return returned


def require_fresh_and_repeatable(first: nn.Module, second: nn.Module, name: str) -> None:
    """Check that two calls with one seed gave two networks with the same parameters and buffers, bit for bit.

    Raises:
        SpecError: they share parameters, or differ.
    """
    if {id(parameter) for parameter in first.parameters()} & {id(parameter) for parameter in second.parameters()}:
        raise _broken(name, "two calls returned the same parameters; every call must make a new network")
    tensors, others = dict(_tensors(first)), dict(_tensors(second))
    if tensors.keys() != others.keys() or any(not torch.equal(tensors[key], others[key]) for key in tensors):
        raise _broken(name, "two calls with one seed gave different weights; draw them from torch's global generator only")


def try_out(network: nn.Module, name: str, *, input_shape: tuple[int, ...], num_outputs: int) -> None:
    """Run the network in eval and train mode, forwards and backwards, with flat parameters. The network is used up.

    Draws from the global generator, which the caller seeds.

    Raises:
        SpecError: outputs of a wrong shape or type, not finite, or mixed between examples; or training changes anything
            besides parameters.
    """
    examples = torch.rand(3, *input_shape)
    examples[0] = 0.0
    outputs = _outputs(network.eval(), examples, name, num_outputs)
    fewer = _outputs(network, examples[:2], name, num_outputs)
    if not torch.allclose(outputs[:2], fewer, rtol=1e-3, atol=1e-4):
        raise _broken(name, "in eval mode its outputs for an example change with the other examples of the minibatch")
    _outputs(network, torch.zeros_like(examples), name, num_outputs)
    _require_stateless_training(network, examples, name, num_outputs)
    flat = FlatParameters(network)
    again = _outputs(network.eval(), examples, name, num_outputs)
    if not torch.allclose(outputs, again, rtol=1e-3, atol=1e-4):
        raise _broken(name, "its outputs changed although its parameters did not; keep nothing from one call to the next")
    if not again.requires_grad:
        raise _broken(name, "its outputs carry no gradient to its parameters")
    try:
        again.sum().backward()  # type: ignore[no-untyped-call]  # untyped in torch
    except RuntimeError as error:
        raise _broken(name, f"its backward pass raised {type(error).__name__}: {error}") from error
    if not torch.isfinite(flat.gradient).all():
        raise _broken(name, "the gradient of its outputs is not finite")


def _require_stateless_training(network: nn.Module, examples: Tensor, name: str, num_outputs: int) -> None:
    buffers = {key: buffer.clone() for key, buffer in network.named_buffers()}
    random_state = torch.get_rng_state()
    _outputs(network.train(), examples, name, num_outputs)
    after = dict(network.named_buffers())
    changed = sorted(key for key in buffers.keys() | after.keys() if not _same(buffers.get(key), after.get(key)))
    if changed:
        raise _broken(
            name,
            f"training changes its buffers {', '.join(changed)}, which no anchor, Fisher or resume point holds; use GroupNorm "
            "or LayerNorm instead of BatchNorm, or a BatchNorm that stays in eval mode when train() is called",
        )
    if not torch.equal(random_state, torch.get_rng_state()):
        raise _broken(
            name,
            "in train mode it draws from torch's global generator, which no resume point holds; leave out dropout and other "
            "noise",
        )


def _outputs(network: nn.Module, inputs: Tensor, name: str, num_outputs: int) -> Tensor:
    mode = "train" if network.training else "eval"
    given = f"inputs of shape {list(inputs.shape)} in {mode} mode"
    try:
        outputs = network(inputs)
    except Exception as error:  # a user's forward: whatever it raises is the plug-in's error
        raise _broken(name, f"its forward raised {type(error).__name__} for {given}: {error}") from error
    if not isinstance(outputs, Tensor):
        raise _broken(name, f"its forward returned {type(outputs).__name__} for {given}, expected a tensor")
    expected = (len(inputs), num_outputs)
    if tuple(outputs.shape) != expected or outputs.dtype != torch.float32:
        raise _broken(
            name,
            f"its forward returned {outputs.dtype} of shape {list(outputs.shape)} for {given}, expected torch.float32 of "
            f"shape {list(expected)}",
        )
    if not torch.isfinite(outputs).all():
        raise _broken(name, f"its forward returned NaN or infinity for {given}")
    return outputs


def _require_memory_of_its_own(network: nn.Module, name: str) -> None:
    """A tied weight is one nn.Parameter under two names; two that share memory would come apart in the flat vector."""
    spans = []
    for key, tensor in _tensors(network):
        if any(stride == 0 and size > 1 for size, stride in zip(tensor.shape, tensor.stride(), strict=True)):
            raise _broken(name, f"{key!r} of shape {list(tensor.shape)} repeats one value in memory; clone it")
        if tensor.numel() > 0:
            last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
            start = tensor.data_ptr()
            spans.append((start, start + (last + 1) * tensor.element_size(), key))
    spans.sort()
    for (_, stop, key), (start, _, other) in pairwise(spans):
        if start < stop:
            raise _broken(name, f"{key!r} and {other!r} share memory; to tie weights, use one nn.Parameter under both names")


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers; each tensor once, under its first name."""
    yield from network.named_parameters()
    yield from network.named_buffers()


def _same(before: Tensor | None, after: Tensor | None) -> bool:
    return before is not None and after is not None and torch.equal(before, after)


def _broken(name: str, what: str) -> SpecError:
    return SpecError(f"plug-in network {name!r}: {what}", field="network")
