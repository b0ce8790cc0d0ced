"""What a forward pass tells about the network's layers and parameters: calls of modules, and edges of the autograd graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node


@dataclass(frozen=True)
class Call:
    """One call of one module: its input, its output's shape, and where to ask for the gradient by its output.

    The edge is taken at the call itself, so an operation in place on the output cannot falsify it.
    """

    inputs: Tensor
    version: int
    output_shape: torch.Size
    output_edge: GradientEdge

    def input_is_intact(self) -> bool:
        """Whether nothing has changed the input in place since the call."""
        return self.inputs._version == self.version


@dataclass(frozen=True)
class Use:
    """A parameter as argument number `position` of the operation `node`."""

    node: Node
    position: int

    def output_edge(self) -> GradientEdge:
        """Where to ask for the gradient by the operation's output."""
        return GradientEdge(self.node, 0)

    def output_shape(self) -> torch.Size:
        """Shape of the operation's output."""
        shape: torch.Size = self.node._input_metadata[0].shape
        return shape


@dataclass(frozen=True)
class Graph:
    """The autograd graph below the outputs: its nodes, and by parameter name every edge that leads to the parameter.

    With `hides_parts` there are nodes below which parameters may be that only a backward pass shows: reentrant checkpoints.
    """

    nodes: frozenset[Node]
    uses: Mapping[str, list[Use]]
    hides_parts: bool


def graph_below(output: Tensor, leaves: Mapping[str, Tensor]) -> Graph:
    """Walk from `output` to the parameters, which are the graph's `leaves`."""
    names = {id(leaf): name for name, leaf in leaves.items()}
    uses: dict[str, list[Use]] = {name: [] for name in leaves}
    seen: set[Node] = set()
    waiting = [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for position, (following, _) in enumerate(node.next_functions):
            name = names.get(id(getattr(following, "variable", None)))
            if name is not None:
                uses[name].append(Use(node, position))
            waiting.append(following)
    return Graph(frozenset(seen), uses, any(node.name() == "CheckpointFunctionBackward" for node in seen))
