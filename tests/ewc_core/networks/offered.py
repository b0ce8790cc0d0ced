"""Networks as packages might offer them: some as they should be, each other one wrong in its own way."""

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
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


def another_width(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(5, num_outputs))


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


class Noise(nn.Module):
    """Adds what a function of the test gives, in train mode or always; `generator` and other attributes are for it."""

    def __init__(self, draw: Any, *, always: bool = False, **attributes: Any) -> None:
        super().__init__()
        self._draw, self._always = draw, always
        vars(self).update(attributes)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self._draw(self) if self.training or self._always else hidden


def _noisy(draw: Any, num_outputs: int, **options: Any) -> nn.Module:
    network = Through(num_outputs)
    network.noise = Noise(draw, **options)
    network.before = network.noise
    return network


def squeezing(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=Tensor.squeeze)


def own_generator(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    return _noisy(lambda noise: torch.randn(4, generator=noise.generator), num_outputs, generator=generator)


def own_numpy_generator(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda noise: noise.generator.random(), num_outputs, generator=np.random.default_rng(0))


def own_python_generator(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda noise: noise.generator.random(), num_outputs, generator=random.Random(0))  # noqa: S311  # the wrong generator is the point


def numpys_generator(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda _: np.random.rand(), num_outputs)  # the wrong generator is the point


def pythons_generator(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda _: random.random(), num_outputs)  # noqa: S311  # the wrong generator is the point


def noise_in_eval_mode(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def draw(noise: Noise) -> Any:
        return 0.0 if noise.training else torch.randn(4, generator=noise.generator)

    return _noisy(draw, num_outputs, always=True, generator=torch.Generator())


def system_noise(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda _: random.SystemRandom().random(), num_outputs)


def noisy_gradient(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def after(outputs: Tensor) -> Tensor:
        if outputs.requires_grad:
            outputs.register_hook(lambda gradient: gradient * random.SystemRandom().random())
        return outputs

    return Through(num_outputs, after=after)


def counting_silently(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    """Two counters that have not changed an output so far."""

    def draw(noise: Any) -> float:
        noise.calls += 1
        noise.seen["batches"] += 1
        return 0.0 if noise.calls < 1000 else 1.0

    return _noisy(draw, num_outputs, calls=0, seen={"batches": 0})


_counts = [0]


class CountingInAGlobal(Through):
    """Counts in its file."""

    def forward(self, inputs: Tensor) -> Tensor:
        _counts[0] += self.training
        return super().forward(inputs)


def counting_in_a_global(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return CountingInAGlobal(num_outputs)


class CountingInItsClass(Through):
    """Counts in its class."""

    calls = 0

    def forward(self, inputs: Tensor) -> Tensor:
        CountingInItsClass.calls += self.training
        return super().forward(inputs)


def counting_in_its_class(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return CountingInItsClass(num_outputs)


def counting_in_a_closure(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    count = 0

    class CountingInAClosure(Through):
        def forward(self, inputs: Tensor) -> Tensor:
            nonlocal count
            count += self.training
            return super().forward(inputs)

    return CountingInAClosure(num_outputs)


def counting_in_a_default(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def before(hidden: Tensor, counts: list[int] = [0]) -> Tensor:  # noqa: B006  # the shared default is the point
        counts[0] += hidden.requires_grad + 1
        return hidden

    return Through(num_outputs, before=before)


def counting_in_slots(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    class Count:
        __slots__ = ("calls",)

        def __call__(self, hidden: Tensor) -> Tensor:
            self.calls = getattr(self, "calls", 0) + 1
            return hidden

    return Through(num_outputs, before=Count())


def counting_in_a_generator(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    calls = (number for number in range(10**9))
    return Through(num_outputs, before=lambda hidden: hidden + 0 * next(calls))


def counting_at_its_weight(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    network.register_forward_pre_hook(_count_at_weight)
    return network


def _count_at_weight(module: Any, inputs: Any) -> None:
    module.head.weight.calls = getattr(module.head.weight, "calls", 0) + 1


def counting_in_a_hook(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    counts = {"calls": 0}

    def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
        counts["calls"] += 1

    network = nn.Sequential(nn.Flatten(), nn.Linear(4, num_outputs))
    network.register_forward_hook(hook)
    return network


class ScaledByItsFirstWeights(nn.Module):
    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4, num_outputs)
        self.norm: Tensor | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        if self.norm is None:
            self.norm = self.linear.weight.detach().norm()
        return self.linear(inputs.flatten(1)) / self.norm  # type: ignore[no-any-return]  # a buffer is untyped


def scaled_by_its_first_weights(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return ScaledByItsFirstWeights(num_outputs)


def scripted(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        traced: nn.Module = torch.jit.trace(nn.Sequential(nn.Flatten(), nn.Linear(4, num_outputs)), torch.zeros(2, 2, 2))
        return traced


def squeezed_by_a_hook(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    network.register_forward_hook(lambda module, inputs, outputs: outputs.squeeze())
    return network


def failing_hook(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def hook(module: nn.Module, inputs: Any) -> None:
        raise LookupError("not here")

    network = Through(num_outputs)
    network.register_forward_pre_hook(hook)
    return network


def scaled_by_the_first_batch(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def draw(noise: Any) -> Any:
        noise.shift = noise.last if noise.shift is None else noise.shift
        return noise.shift

    network = Through(num_outputs)
    network.noise = Noise(draw, shift=None, last=None)

    def before(hidden: Tensor) -> Tensor:
        network.noise.last = hidden.mean()
        return network.noise(hidden)  # type: ignore[no-any-return]  # a part is untyped

    network.before = before
    return network


def a_mask_of_its_own(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def draw(noise: Any) -> Any:
        noise.mask = random.SystemRandom().random() if noise.mask is None else noise.mask
        return noise.mask

    return _noisy(draw, num_outputs, mask=None)


def caching(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def draw(noise: Any) -> Any:
        noise.positions = torch.arange(4.0) if noise.positions is None else noise.positions
        return noise.positions

    return _noisy(draw, num_outputs, positions=None)


def same_noise_every_time(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda _: torch.randn(4, generator=torch.Generator().manual_seed(3)), num_outputs)


def changing_its_inputs(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, before=lambda hidden: hidden.mul_(0.5))


def leaves(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return Through(num_outputs, after=lambda _: sys.exit(3))


def twice_wrong(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    network = Through(num_outputs)
    network.head.bias.requires_grad_(False)
    network.unused = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    return network


def noisy_twice(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    return _noisy(lambda _: torch.randn(4) * np.random.rand(), num_outputs)


def fails_on_large_inputs(input_shape: Shape, num_outputs: int, options: Options) -> nn.Module:
    def before(hidden: Tensor) -> Tensor:
        if hidden.max() > 5.0:
            raise OSError("neither '/opt/a server/weights.bin' nor /opt/b.bin \0\nhere")
        return hidden

    return Through(num_outputs, before=before)
