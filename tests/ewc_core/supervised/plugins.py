"""Networks and data as packages might offer them, for whole jobs; some fail only in what a job does later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Options = Mapping[str, Any]


class Around(nn.Module):
    """A small network whose outputs go through `after`."""

    def __init__(self, num_features: int, num_outputs: int, after: Any = None) -> None:
        super().__init__()
        self.hidden, self.head, self.after = nn.Linear(num_features, 5), nn.Linear(5, num_outputs), after

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(torch.tanh(self.hidden(inputs.flatten(1))))
        return outputs if self.after is None else self.after(self, outputs)  # type: ignore[no-any-return]  # a test gives it


class BackwardFails(torch.autograd.Function):
    """The identity, whose gradient cannot be had once the outputs are large."""

    @staticmethod
    def forward(ctx: Any, outputs: Tensor) -> Tensor:
        ctx.save_for_backward(outputs)
        return outputs.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (outputs,) = ctx.saved_tensors
        if outputs.abs().max() > 3.0:
            raise ArithmeticError("too large to differentiate")
        return gradients[0]


def _squeeze(_: nn.Module, outputs: Tensor) -> Tensor:
    return outputs.squeeze()


def _late(network: nn.Module, outputs: Tensor) -> Tensor:
    """Fails once training has moved the outputs."""
    if float(outputs.detach().abs().max()) > 3.0:
        raise KeyError("no entry for large outputs")
    return outputs


def _late_shape(network: nn.Module, outputs: Tensor) -> Tensor:
    return outputs[:, 0] if float(outputs.detach().abs().max()) > 3.0 else outputs


def _two_sizes(_: nn.Module, outputs: Tensor) -> Tensor:
    if len(outputs) in (16, 10):
        raise ValueError(f"{len(outputs)} examples are not to my liking")
    return outputs


def _branches(_: nn.Module, outputs: Tensor) -> Tensor:
    """vmap cannot trace it; a loop over examples can."""
    return outputs * 2.0 if float(outputs.detach().sum()) > 0.0 else outputs * 1.0


def _noisy_on_whole_minibatches(network: nn.Module, outputs: Tensor) -> Tensor:
    if network.training and len(outputs) == 16:
        return outputs + torch.randn(outputs.shape, generator=_GENERATOR)
    return outputs


def _rescaled(_: nn.Module, outputs: Tensor) -> Tensor:
    """Never negative, and no probabilities."""
    return 2.0 * outputs.softmax(1)


_GENERATOR = torch.Generator().manual_seed(0)
_AFTER = {
    "noisy_on_whole_minibatches": _noisy_on_whole_minibatches,
    "squeezing": _squeeze,
    "late": _late,
    "late_shape": _late_shape,
    "late_backward": lambda _, outputs: BackwardFails.apply(outputs),
    "two_sizes": _two_sizes,
    "branching": _branches,
    "softmax": lambda _, outputs: outputs.softmax(1),
    "log_softmax": lambda _, outputs: outputs.log_softmax(1),
    "rescaled": _rescaled,
    "good": None,
}


def network(input_shape: tuple[int, ...], num_outputs: int, options: Options) -> nn.Module:
    """The network that the option `which` names."""
    return Around(int(np.prod(input_shape)), num_outputs, _AFTER[options["which"]])


def regression(options: Options) -> dict[str, Any]:
    """`n` training rows of one large target; `wrong` makes the second data set of a process another one."""
    random = np.random.default_rng(options.get("seed", 0))
    inputs = random.normal(size=(options["n"] + 7, 3))
    targets = 4.0 * inputs.sum(1) + 10.0
    return {
        "train_inputs": inputs[:-7],
        "train_targets": targets[:-7],
        "test_inputs": inputs[-7:],
        "test_targets": targets[-7:],
        "likelihood": "gaussian",
    }
