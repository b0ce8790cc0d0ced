"""A network as a function of its tensors by name and of inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from ewc_core.fisher.recurrent import in_plain_operations
from ewc_core.fisher.untouched import substituted


class Outputs:
    """`outputs(tensors, inputs)` gives the outputs [n, K] that the likelihood sees, with `tensors` in the places of the
    network's own. Recurrent layers run in plain operations, which every kind of derivative knows. The network is left alone.
    """

    def __init__(self, network: nn.Module, select: Callable[[Tensor], Tensor] | None) -> None:
        """`select` picks from the network's outputs; None means all of them."""
        self.network, self._select = network, select

    def __call__(self, tensors: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        with self.holding(tensors):
            return self.of(inputs)

    @contextmanager
    def holding(self, tensors: Mapping[str, Tensor]) -> Iterator[None]:
        """Inside the block, and so for backward passes in it, the network holds `tensors`."""
        with substituted(self.network, dict(tensors)), in_plain_operations(self.network):
            yield

    def of(self, inputs: Tensor) -> Tensor:
        """The outputs at the tensors that are held."""
        raw: Tensor = self.network(inputs)
        return raw if self._select is None else self._select(raw)


def tensors_of(network: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The trainable parameters as leaves of our own graph; the frozen ones and copies of the buffers.

    Copies of embeddings with `max_norm`, too, whose forward pass shortens rows in place.
    """
    shortened = {id(module.weight) for module in network.modules() if getattr(module, "max_norm", None) is not None}
    tensors = {
        name: parameter.detach().clone() if id(parameter) in shortened else parameter.detach()
        for name, parameter in network.named_parameters()
    }
    trainable = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    leaves = {name: tensor.requires_grad_() for name, tensor in tensors.items() if name in trainable}
    frozen = {name: tensor for name, tensor in tensors.items() if name not in trainable}
    return leaves, {**frozen, **{name: buffer.detach().clone() for name, buffer in network.named_buffers()}}
