"""Closed form of Linear: at one position per example G = δ aᵀ, so Σ G² = (δ²)ᵀ(a²) with no per-example gradient in memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor, nn

from ewc_core.fisher.forms import Squares, WeightAndBias, leading
from ewc_core.fisher.outer import OuterSquares, rows_held
from ewc_core.fisher.sums import Sums
from ewc_core.fisher.trace import Call


class _OnePosition:
    """ΣF_W = (Σ_s δ_s²)ᵀ a² [out, in]; ΣF_b = Σ_n Σ_s δ_s² [out]."""

    def __init__(self, names: WeightAndBias, inputs: Tensor) -> None:
        self._names, self._inputs = names, inputs
        self._squared: Tensor | None = None

    def add(self, delta: Tensor) -> None:
        delta = delta.reshape(len(delta), -1)
        self._squared = delta.square() if self._squared is None else self._squared.addcmul_(delta, delta)

    def finish(self, sums: Sums) -> None:
        if self._squared is None:
            return
        if self._names.weight is not None:
            sums[self._names.weight].addmm_(self._squared.T, self._inputs.square())
        if self._names.bias is not None:
            sums[self._names.bias].add_(self._squared.sum(0))


class ManyPositions:
    """δ [n, ..., out] and inputs [n, ..., in]: sums over positions come before the squares."""

    def __init__(self, names: WeightAndBias, inputs: Tensor, num_outputs: int, num_grad_outputs: int) -> None:
        self._names = names
        rows = inputs.flatten(1, -2)
        self._outer: OuterSquares | None = None
        if names.weight is not None:
            shape = (len(rows), 1, num_outputs, rows.shape[1])
            self._outer = OuterSquares(
                shape, rows.shape[2], lambda start, stop: rows[start:stop].transpose(1, 2).unsqueeze(1), num_grad_outputs, rows
            )
        self._bias: Tensor | None = None

    def add(self, delta: Tensor) -> None:
        delta = delta.flatten(1, -2)
        if self._outer is not None:
            self._outer.add(delta.transpose(1, 2).unsqueeze(1))
        if self._names.bias is not None:
            squares = delta.sum(1).square().sum(0)
            self._bias = squares if self._bias is None else self._bias.add_(squares)

    def finish(self, sums: Sums) -> None:
        if self._outer is not None and self._names.weight is not None:
            sums[self._names.weight].add_(self._outer.total())
        if self._bias is not None and self._names.bias is not None:
            sums[self._names.bias].add_(self._bias)


def numbers_at_positions(positions: int, num_outputs: int, num_inputs: int, num_grad_outputs: int) -> int:
    """How many numbers `ManyPositions` holds per example."""
    return positions * (num_outputs * (2 + rows_held(num_outputs, num_grad_outputs)) + num_inputs)


@dataclass(frozen=True)
class LinearForm:
    """`nn.Linear` on inputs [n, in] or [n, ..., in]."""

    module: nn.Linear
    names: WeightAndBias

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.names.parameter_names

    def fits(self, call: Call, num_examples: int) -> bool:
        return call.inputs.ndim >= 2 and leading(call.inputs.shape, num_examples)

    def numbers_per_example(self, call: Call, num_grad_outputs: int) -> int:
        if prod(call.inputs.shape[1:-1]) == 1:
            return 2 * self.module.out_features + self.module.in_features
        return numbers_at_positions(
            prod(call.inputs.shape[1:-1]), self.module.out_features, self.module.in_features, num_grad_outputs
        )

    def squares(self, call: Call, num_grad_outputs: int) -> Squares:
        if prod(call.inputs.shape[1:-1]) == 1:
            return _OnePosition(self.names, call.inputs.reshape(len(call.inputs), -1))
        return ManyPositions(self.names, call.inputs, self.module.out_features, num_grad_outputs)
