"""The importance of Memory Aware Synapses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ewc_core.errors import NonFiniteError
from ewc_core.importance import memory_aware_steps


def _importance(
    network: nn.Module, inputs: Tensor, *, select: Callable[[Tensor], Tensor] | None = None, chunk_bytes: int = 2**20
) -> tuple[dict[str, Tensor], list[int]]:
    labels = torch.zeros(len(inputs), dtype=torch.int64)
    steps = memory_aware_steps(
        network, lambda start, stop: (inputs[start:stop], labels[start:stop]), len(inputs), select=select, chunk_bytes=chunk_bytes
    )
    done: list[int] = []
    while True:
        try:
            done.append(next(steps))
        except StopIteration as finished:
            return finished.value, done


def _linear() -> tuple[nn.Linear, Tensor]:
    generator = torch.Generator().manual_seed(0)
    network = nn.Linear(4, 3).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network, torch.randn(11, 4, generator=generator, dtype=torch.float64)


def _deep() -> tuple[nn.Module, Tensor]:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8, 3)).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network, torch.randn(7, 1, 4, 4, generator=generator, dtype=torch.float64)


def test_of_a_linear_network_it_is_two_mean_absolute_output_times_input() -> None:
    """∂ ‖Wx + b‖² / ∂W = 2 f xᵀ, per example before the absolute value."""
    network, inputs = _linear()
    outputs = network(inputs).detach()
    importance, _ = _importance(network, inputs)
    torch.testing.assert_close(importance["weight"], 2 * outputs.abs().T @ inputs.abs() / len(inputs), rtol=1e-12, atol=0)
    torch.testing.assert_close(importance["bias"], 2 * outputs.abs().mean(0), rtol=1e-12, atol=0)


class _Reused(nn.Module):
    """One Linear called twice, and one whose weight is used outside it as well: neither has the closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.shared, self.unused = nn.Linear(4, 4), nn.Linear(4, 3), nn.Linear(4, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.tanh(self.twice(torch.tanh(self.twice(inputs))))
        outputs: Tensor = self.shared(hidden) + self.shared.weight.sum()
        return outputs


class _Positions(nn.Module):
    """A Linear at several positions per example."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.last = nn.Linear(2, 3), nn.Linear(6, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(torch.tanh(self.each(inputs.view(-1, 2, 2))).flatten(1))
        return outputs


class _Recurrent(nn.Module):
    """A GRU over two steps, and a branch on the data after it: vmap can trace neither."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = nn.GRU(2, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.cell(inputs.view(-1, 2, 2))[0][:, -1]
        outputs: Tensor = self.last(hidden if float(inputs.detach().sum()) > 1e9 else hidden.sin())
        return outputs


def _filled(network: nn.Module, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return network.double(), inputs


@pytest.mark.parametrize("kind", ["linear", "deep", "reused", "positions", "recurrent"])
def test_it_equals_one_example_at_a_time_in_eval_mode(kind: str) -> None:
    inputs = torch.randn(6, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    network, inputs = {
        "linear": _linear,
        "deep": _deep,
        "reused": lambda: _filled(_Reused(), inputs),
        "positions": lambda: _filled(_Positions(), inputs),
        "recurrent": lambda: _filled(_Recurrent(), inputs),
    }[kind]()
    network.eval()
    expected = {name: torch.zeros_like(parameter) for name, parameter in network.named_parameters()}
    for example in inputs:
        loss = network(example.unsqueeze(0)).square().sum()
        gradients = torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True)
        for name, gradient in zip(expected, gradients, strict=True):
            expected[name] += gradient.abs() / len(inputs)
    network.train()
    importance, _ = _importance(network, inputs)
    for name, tensor in expected.items():
        torch.testing.assert_close(importance[name], tensor, rtol=1e-12, atol=1e-14)
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_network_that_computes_in_half_precision_has_about_the_same_importance() -> None:
    class Halved(nn.Sequential):
        def forward(self, inputs: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                outputs: Tensor = super().forward(inputs)
            return outputs.float()

    torch.manual_seed(0)
    layers, inputs = [nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)], torch.randn(6, 4)
    (half, _), (full, _) = _importance(Halved(*layers), inputs), _importance(nn.Sequential(*layers), inputs)
    for name, tensor in full.items():
        torch.testing.assert_close(half[name], tensor, rtol=0.1, atol=0.01)


def test_the_absolute_value_comes_before_the_mean() -> None:
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1.0)
    importance, _ = _importance(network, torch.tensor([[1.0], [-1.0]]))
    assert importance["weight"].tolist() == [[2.0]]
    torch.nn.init.zeros_(network.weight)
    assert _importance(network, torch.ones(2, 1))[0]["weight"].tolist() == [[0.0]]


def test_chunks_bound_the_memory_and_change_nothing_but_the_progress() -> None:
    network, inputs = _deep()
    whole, done = _importance(network, inputs)
    each, steps = _importance(network, inputs, chunk_bytes=1)
    assert done == [7]
    assert steps == [1, 2, 3, 4, 5, 6, 7]
    for name, tensor in whole.items():
        torch.testing.assert_close(each[name], tensor, rtol=1e-12, atol=1e-14)


def test_outputs_of_other_heads_do_not_count() -> None:
    network, inputs = _linear()
    importance, _ = _importance(network, inputs, select=lambda outputs: outputs[:, 1:2])
    assert not importance["weight"][[0, 2]].any()
    whole, _ = _importance(network, inputs)
    torch.testing.assert_close(importance["weight"][1], whole["weight"][1], rtol=1e-12, atol=0)


def test_a_diverged_network_is_refused() -> None:
    network, inputs = _linear()
    with torch.no_grad():
        network.bias[0] = torch.inf
    with pytest.raises(NonFiniteError, match="importance of parameter 'weight'"):
        _importance(network, inputs)
