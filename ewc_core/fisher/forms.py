"""Closed forms: sums of squared per-example gradients of one layer, from its input and the gradient δ at its output.

A form looks at a layer once (which module, which parameters); its squares collect one chunk of examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ewc_core.fisher.sums import Sums, at_least_float32
from ewc_core.fisher.trace import Call


class Squares(Protocol):
    """Collects Σ over the vectors s and over the examples of one chunk."""

    def add(self, delta: Tensor) -> None:
        """Take the gradient at the layer's output for one of the vectors s; per example, [n, ...]."""

    def finish(self, sums: Sums) -> None:
        """Add the squares to the sums of the layer's parameters."""


class LayerForm(Protocol):
    """The closed form of one module."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Full names of the parameters that it covers."""

    def fits(self, call: Call, num_examples: int) -> bool:
        """Whether the form is exact for a call on this input: dimension 0 counts examples, and the rank is known."""

    def numbers_per_example(self, call: Call, num_grad_outputs: int) -> int:
        """Numbers that the squares hold per example, for the memory bound."""

    def squares(self, call: Call, num_grad_outputs: int) -> Squares:
        """Fresh squares for the chunk of this call."""


@dataclass(frozen=True)
class WeightAndBias:
    """Full names of a layer's weight and bias; None where there is none, or where it is frozen."""

    weight: str | None
    bias: str | None

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Those that exist."""
        return tuple(name for name in (self.weight, self.bias) if name is not None)


def weight_and_bias(prefix: str, parameters: Mapping[str, Tensor | None], wanted: frozenset[str]) -> WeightAndBias:
    """Names of `weight` and `bias` below module `prefix`, where they are parameters in `wanted`."""

    def full(name: str) -> str | None:
        path = f"{prefix}.{name}" if prefix else name
        return path if parameters.get(name) is not None and path in wanted else None

    return WeightAndBias(full("weight"), full("bias"))


def leading(shape: tuple[int, ...], num_examples: int) -> bool:
    """Whether dimension 0 counts the examples."""
    return len(shape) > 0 and shape[0] == num_examples


def wide(values: Tensor) -> Tensor:
    """Floating point numbers in a dtype for squares; others as they are."""
    return values.to(at_least_float32(values.dtype)) if values.is_floating_point() else values


def per_example_sum(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Undo a broadcast, per example: values [n, ...] -> [n, *shape], where `shape` had been broadcast against [n, ...]."""
    rank = values.ndim - 1
    inner = shape[1:] if len(shape) == values.ndim else shape
    padded = (1,) * (rank - len(inner)) + tuple(inner)
    summed = [1 + k for k in range(rank) if padded[k] == 1 and values.shape[1 + k] != 1]
    if summed:
        values = values.sum(summed, keepdim=True)
    return values.reshape(len(values), *shape)
