"""Closed form of convolutions: per example G = δ Uᵀ with U the unfolded input, per group; then squares, then the sum."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from torch import Tensor, nn
from torch.nn import functional

from ewc_core.fisher.forms import Squares, WeightAndBias, leading
from ewc_core.fisher.outer import OuterSquares, rows_held
from ewc_core.fisher.sums import Sums
from ewc_core.fisher.trace import Call

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


def windows(inputs: Tensor, module: Convolution) -> Tensor:
    """What each output position sees: [n, C, ...] -> [n, groups, C/groups · prod(kernel), positions].

    Rows are in the order of the weight's last dimensions. Stride, dilation, padding and its mode are the module's.
    """
    padded = _padded(inputs, module).contiguous()
    num_examples, num_channels, *sizes = padded.shape
    steps = padded.stride()[2:]
    spans = [d * (k - 1) + 1 for d, k in zip(module.dilation, module.kernel_size, strict=True)]
    positions = [(size - span) // s + 1 for size, span, s in zip(sizes, spans, module.stride, strict=True)]
    view = padded.as_strided(
        (num_examples, num_channels, *module.kernel_size, *positions),
        (
            *padded.stride()[:2],
            *(step * d for step, d in zip(steps, module.dilation, strict=True)),
            *(step * s for step, s in zip(steps, module.stride, strict=True)),
        ),
        padded.storage_offset(),
    )
    return view.reshape(num_examples, module.groups, -1, prod(positions))


def _padded(inputs: Tensor, module: Convolution) -> Tensor:
    if module.padding == "valid":
        return inputs
    amounts: list[int] = []  # from the last dimension to the first: before, after
    for axis in reversed(range(len(module.kernel_size))):
        if module.padding == "same":
            total = module.dilation[axis] * (module.kernel_size[axis] - 1)
            amounts += [total // 2, total - total // 2]
        else:
            amounts += 2 * [int(module.padding[axis])]
    if not any(amounts):
        return inputs
    return functional.pad(inputs, amounts, mode="constant" if module.padding_mode == "zeros" else module.padding_mode)


class _ConvSquares:
    """ΣF_W = Σ_n (Σ_p δ U)²; ΣF_b = Σ_n (Σ_p δ)²."""

    def __init__(self, module: Convolution, names: WeightAndBias, call: Call, num_grad_outputs: int) -> None:
        self._names, self._weight_shape = names, module.weight.shape
        inputs, output = call.inputs, call.output_shape
        rows = module.out_channels // module.groups
        self._delta_shape = (len(inputs), module.groups, rows, prod(output[2:]))
        self._outer: OuterSquares | None = None
        if names.weight is not None:
            self._outer = OuterSquares(
                self._delta_shape,
                prod(self._weight_shape[1:]),
                lambda start, stop: windows(inputs[start:stop], module),
                num_grad_outputs,
                inputs,
            )
        self._bias: Tensor | None = None

    def add(self, delta: Tensor) -> None:
        if self._outer is not None:
            self._outer.add(delta.reshape(self._delta_shape))
        if self._names.bias is not None:
            squares = delta.flatten(2).sum(2).square().sum(0)
            self._bias = squares if self._bias is None else self._bias.add_(squares)

    def finish(self, sums: Sums) -> None:
        if self._outer is not None and self._names.weight is not None:
            sums[self._names.weight].add_(self._outer.total().view(self._weight_shape))
        if self._bias is not None and self._names.bias is not None:
            sums[self._names.bias].add_(self._bias)


@dataclass(frozen=True)
class ConvForm:
    """`nn.Conv1d`, `Conv2d` and `Conv3d`, grouped, strided, dilated or padded in any mode."""

    module: Convolution
    names: WeightAndBias

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.names.parameter_names

    def fits(self, call: Call, num_examples: int) -> bool:
        return call.inputs.ndim == 2 + len(self.module.kernel_size) and leading(call.inputs.shape, num_examples)

    def numbers_per_example(self, call: Call, num_grad_outputs: int) -> int:
        held = rows_held(self.module.out_channels // self.module.groups, num_grad_outputs)
        return prod(call.output_shape[1:]) * (2 + held)

    def squares(self, call: Call, num_grad_outputs: int) -> Squares:
        return _ConvSquares(self.module, self.names, call, num_grad_outputs)
