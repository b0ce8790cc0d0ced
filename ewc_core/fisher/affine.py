"""Closed form of y = g ⊙ x̂ + b: per example ∂/∂g = Σ_p δ x̂ and ∂/∂b = Σ_p δ, summed over positions before squaring.

x̂ is the normalised input of a norm layer in eval mode, or the other factor of a product with a bare parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ewc_core.fisher.forms import Squares, WeightAndBias, leading, per_example_sum
from ewc_core.fisher.sums import Sums
from ewc_core.fisher.trace import Call, Use

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
InstanceNorm = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d
Norm = BatchNorm | InstanceNorm | nn.LayerNorm | nn.RMSNorm | nn.GroupNorm


def normalised(module: Norm, inputs: Tensor) -> Tensor:
    """x̂: what the module computes in eval mode without its gain and bias."""
    match module:
        case nn.LayerNorm():
            return functional.layer_norm(inputs, module.normalized_shape, eps=module.eps)
        case nn.RMSNorm():
            return functional.rms_norm(inputs, list(module.normalized_shape), eps=module.eps)
        case nn.GroupNorm():
            return functional.group_norm(inputs, module.num_groups, eps=module.eps)
        case nn.BatchNorm1d() | nn.BatchNorm2d() | nn.BatchNorm3d():
            return functional.batch_norm(inputs, *_statistics(module, inputs.dtype), eps=module.eps)
    statistics = _statistics(module, inputs.dtype)
    return functional.instance_norm(inputs, *statistics, use_input_stats=not module.track_running_stats, eps=module.eps)


def _statistics(module: BatchNorm | InstanceNorm, dtype: torch.dtype) -> tuple[Tensor | None, Tensor | None]:
    mean, variance = module.running_mean, module.running_var
    return (None if mean is None else mean.to(dtype), None if variance is None else variance.to(dtype))


class _AffineSquares:
    """Squares of δ ⊙ factor and of δ, each summed back to its parameter's shape per example."""

    def __init__(self, names: WeightAndBias, factor: Callable[[], Tensor | float], reduce: Callable[[Tensor], Tensor]) -> None:
        self._names, self._reduce = names, reduce
        self._factor = factor() if names.weight is not None else 1.0
        self._gain: Tensor | None = None
        self._bias: Tensor | None = None

    def add(self, delta: Tensor) -> None:
        if self._names.weight is not None:
            squares = self._reduce(delta * self._factor).square().sum(0)
            self._gain = squares if self._gain is None else self._gain.add_(squares)
        if self._names.bias is not None:
            squares = self._reduce(delta).square().sum(0)
            self._bias = squares if self._bias is None else self._bias.add_(squares)

    def finish(self, sums: Sums) -> None:
        if self._gain is not None and self._names.weight is not None:
            sums[self._names.weight].add_(self._gain)
        if self._bias is not None and self._names.bias is not None:
            sums[self._names.bias].add_(self._bias)


@dataclass(frozen=True)
class NormForm:
    """BatchNorm with running statistics, LayerNorm, RMSNorm, GroupNorm and InstanceNorm."""

    module: Norm
    names: WeightAndBias

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.names.parameter_names

    def fits(self, call: Call, num_examples: int) -> bool:
        shape = call.inputs.shape
        if isinstance(self.module, nn.LayerNorm | nn.RMSNorm):
            return len(shape) > len(self.module.normalized_shape) and leading(shape, num_examples)
        if isinstance(self.module, InstanceNorm) and len(shape) == 2:
            return False
        return len(shape) >= 2 and leading(shape, num_examples)

    def numbers_per_example(self, call: Call, num_grad_outputs: int) -> int:
        return 3 * call.inputs[:1].numel()

    def squares(self, call: Call, num_grad_outputs: int) -> Squares:
        if isinstance(self.module, nn.LayerNorm | nn.RMSNorm):
            shape = tuple(self.module.normalized_shape)
            return _AffineSquares(
                self.names, lambda: normalised(self.module, call.inputs), lambda values: per_example_sum(values, shape)
            )
        return _AffineSquares(self.names, lambda: normalised(self.module, call.inputs), _per_channel)


def _per_channel(values: Tensor) -> Tensor:
    return values.flatten(2).sum(2) if values.ndim > 2 else values


@dataclass(frozen=True)
class ElementwiseForm:
    """A bare parameter that is a factor or a term of one operation: (Wx + b) ⊙ g, a position code, a class token.

    Known operations: x * g, x + b, x − b (each broadcast over the examples) and b.expand(n, ...).
    """

    name: str
    shape: tuple[int, ...]

    def fits(self, use: Use, num_examples: int) -> bool:
        """Whether the operation is known, and its result has a dimension 0 that counts examples and not this parameter."""
        output = use.output_shape()
        broadcast = len(self.shape) < len(output) or (len(self.shape) == len(output) and self.shape[:1] == (1,))
        return use.node.name() in _FACTORS and leading(output, num_examples) and broadcast

    def squares(self, use: Use) -> Squares:
        """Fresh squares for the chunk in which the parameter had this use."""
        factor = _FACTORS[use.node.name()]
        return _AffineSquares(
            WeightAndBias(self.name, None), lambda: factor(use), lambda values: per_example_sum(values, self.shape)
        )


def _other_factor(use: Use) -> Tensor:
    saved: Tensor = getattr(use.node, "_saved_other" if use.position == 0 else "_saved_self")
    return saved.detach()


def _coefficient(use: Use) -> float:
    """±alpha of x ± alpha·b; its sign is lost in the square."""
    return 1.0 if use.position == 0 else float(use.node._saved_alpha)  # type: ignore[attr-defined]  # missing in torch's types


def _one(use: Use) -> float:
    return 1.0


_FACTORS: dict[str, Callable[[Use], Tensor | float]] = {
    "MulBackward0": _other_factor,
    "AddBackward0": _coefficient,
    "SubBackward0": _coefficient,
    "ExpandBackward0": _one,
}
