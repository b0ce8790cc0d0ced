"""Networks as packages might offer them: some as they should be, each other one wrong in its own way."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ewc_core.specs.network import MAX_PARAMETERS

Shape = tuple[int, ...]
Options = Mapping[str, Any]


class Tied(nn.Module):
    """One weight under two names."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.inner, self.again, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, num_outputs)
        self.again.weight = self.inner.weight

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.again(torch.tanh(self.inner(inputs.flatten(1))))
        outputs: Tensor = self.head(torch.tanh(hidden))
        return outputs


class FrozenBatchNorm(nn.BatchNorm1d):
    """Statistics that stay as they are."""

    def train(self, mode: bool = True) -> FrozenBatchNorm:
        super().train(False)
        return self


class Through(nn.Module):
    """A linear network whose outputs, or inputs, go through a function of the test."""

    def __init__(self, num_outputs: int, before: Any = None, after: Any = None) -> None:
        super().__init__()
        self.head, self.before, self.after = nn.Linear(4, num_outputs), before, after

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs.flatten(1)
        outputs = self.head(hidden if self.before is None else self.before(hidden))
        result: Tensor = outputs if self.after is None else self.after(outputs)
        return result


class Counting(Through):
    """Remembers how often it was trained, outside of its parameters."""

    calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += self.training
        return super().forward(inputs) + self.calls


def _around(*layers: nn.Module, num_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 6), *layers, nn.Linear(6, num_outputs))


def plain(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    assert input_shape == (2, 2)
    return _around(nn.LayerNorm(6), num_outputs=num_outputs)


def tied(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Tied(num_outputs)


def frozen_batch_norm(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _around(FrozenBatchNorm(6), num_outputs=num_outputs)


def no_network(input_shape: Shape, num_outputs: int, options: Options) -> object:
    return lambda inputs: inputs


def no_parameters(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return nn.Flatten()


def lazy(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return nn.LazyLinear(num_outputs)


def double(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs).double()


def frozen(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    network.head.bias.requires_grad_(False)
    return network


def huge(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    network.extra = nn.Parameter(torch.empty(MAX_PARAMETERS))
    return network


def one_output_more(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs + 1)


def double_outputs(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=Tensor.double)


def a_pair(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=lambda outputs: (outputs, outputs))


def zero_over_zero(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, before=lambda hidden: hidden / hidden.norm(dim=1, keepdim=True))


def two_examples_only(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, before=lambda hidden: hidden.reshape(2, 4))


def batch_norm(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _around(nn.BatchNorm1d(6), num_outputs=num_outputs)


def batch_norm_in_eval_mode(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _around(nn.BatchNorm1d(6).eval(), num_outputs=num_outputs)


def batch_statistics(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _around(nn.BatchNorm1d(6, track_running_stats=False), num_outputs=num_outputs)


def dropout(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _around(nn.Dropout(0.5), num_outputs=num_outputs)


def shared_memory(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Tied(num_outputs)
    network.again.weight = nn.Parameter(network.inner.weight.data)
    return network


def repeated_value(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    network.head.bias = nn.Parameter(torch.zeros(1).expand(num_outputs))
    return network


_ONLY_ONE = Through(3)


def always_the_same(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _ONLY_ONE


def other_randomness(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    nn.init.constant_(network.head.bias, random.random())  # noqa: S311  # the wrong generator is the point
    return network


def detached(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=Tensor.detach)


def no_backward(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=lambda outputs: outputs.exp().mul_(2.0))


def infinite_gradient(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=lambda outputs: (outputs * 0.0).abs().sqrt())


def counting(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Counting(num_outputs)


def needs_a_width(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return nn.Linear(options["width"], num_outputs)


def changes_its_options(input_shape: Shape, num_outputs: int, options: dict[str, Any]) -> nn.Module:
    options["sizes"].append(1)
    return Through(num_outputs)
