"""A network's parameters as one flat vector, and back to named tensors.

Optimisers and penalties work on the vector: one kernel per operation, however many layers there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ewc_core.errors import ParameterMismatch
from ewc_core.stored_tensors import shape_of


@dataclass(frozen=True)
class ParameterLayout:
    """Names and shapes of a network's parameters, in the order in which the flat vector holds them."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, network: nn.Module) -> ParameterLayout:
        """The layout of a network; a tied parameter appears once, under its first name."""
        named = list(network.named_parameters())
        return cls(tuple(name for name, _ in named), tuple(tuple(parameter.shape) for _, parameter in named))

    @property
    def num_parameters(self) -> int:
        """Length of the flat vector."""
        return sum(math.prod(shape) for shape in self.shapes)

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """Named views of a flat vector of length `num_parameters`.

        Raises:
            ParameterMismatch: the vector has another length.
        """
        if tuple(flat.shape) != (self.num_parameters,):
            raise ParameterMismatch(f"flat parameters have shape {tuple(flat.shape)}, expected ({self.num_parameters},)")
        views, start = {}, 0
        for name, shape in zip(self.names, self.shapes, strict=True):
            stop = start + math.prod(shape)
            views[name] = flat[start:stop].view(shape)
            start = stop
        return views

    def join(self, named: Mapping[str, Tensor], *, dtype: torch.dtype) -> Tensor:
        """One flat copy of named tensors, converted to `dtype`.

        Raises:
            ParameterMismatch: names or shapes differ from the layout.
        """
        self.check(named)
        return torch.cat([named[name].detach().reshape(-1).to(dtype) for name in self.names])

    def check(self, named: Mapping[str, Tensor]) -> None:
        """Check that `named` has exactly the layout's names and shapes. No values are read.

        Raises:
            ParameterMismatch: they differ; the message names the parameters.
        """
        missing = sorted(set(self.names) - set(named))
        unknown = sorted(set(named) - set(self.names))
        if missing or unknown:
            raise ParameterMismatch(f"parameters do not fit the network: missing {missing}, unknown {unknown}")
        for name, shape in zip(self.names, self.shapes, strict=True):
            if (found := shape_of(named, name)) != shape:
                raise ParameterMismatch(f"parameter {name!r} has shape {found}, expected {shape}")


class FlatParameters:
    """Puts a network's parameters and gradients into two flat vectors, of which they become views.

    `values` and `gradient` have shape [num_parameters]. Mutates the network: `.data` and `.grad` of every parameter
    become views; backward passes then accumulate into `gradient` in place.
    """

    def __init__(self, network: nn.Module) -> None:
        self.layout = ParameterLayout.of(network)
        parameters = dict(network.named_parameters())
        dtypes = {parameter.dtype for parameter in parameters.values()}
        if len(dtypes) != 1:
            raise ParameterMismatch(f"parameters of one network must share one dtype, got {sorted(map(str, dtypes))}")
        self.values = self.layout.join(parameters, dtype=dtypes.pop())
        self._parameters = parameters
        for name, view in self.layout.split(self.values).items():
            parameters[name].data = view
        self.make_gradient()

    def make_gradient(self) -> None:
        """A gradient of 0."""
        self.gradient = torch.zeros_like(self.values)
        for name, view in self.layout.split(self.gradient).items():
            self._parameters[name].grad = view

    def free_gradient(self) -> None:
        """Give back the memory of the gradient, until `make_gradient`: no step and no backward pass may come in between."""
        self.gradient = torch.empty(0)
        for parameter in self._parameters.values():
            parameter.grad = None

    def named(self) -> dict[str, Tensor]:
        """Named copies of the parameters."""
        return {name: view.clone() for name, view in self.views().items()}

    def views(self) -> dict[str, Tensor]:
        """The parameters by name, as they are now: they move with the network. Read only."""
        return self.layout.split(self.values)

    def load_flat(self, flat: Tensor) -> None:
        """Copy a flat vector into the parameters, in place.

        Raises:
            ParameterMismatch: length or dtype differ.
        """
        if flat.shape != self.values.shape or flat.dtype != self.values.dtype:
            raise ParameterMismatch(
                f"flat parameters are {tuple(flat.shape)} {flat.dtype}, expected {tuple(self.values.shape)} {self.values.dtype}"
            )
        self.values.copy_(flat)
