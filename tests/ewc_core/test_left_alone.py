"""No call that looks at a network leaves a module changed, whether it succeeds or raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ewc_core.capacity import pull_and_power
from ewc_core.data import DataSource, TaskData
from ewc_core.data.as_stored import AsStored
from ewc_core.data.task_data import Part
from ewc_core.fisher import exact_fisher, reference_fisher
from ewc_core.importance import memory_aware_steps
from ewc_core.specs import LikelihoodName
from ewc_core.supervised.evaluate import score
from ewc_core.supervised.heads import HeadView

CATEGORICAL = LikelihoodName.CATEGORICAL


class _Adapter(nn.Linear):
    """Merges its update into its weight while it is in eval mode, as low-rank adapters do, by way of `.data`."""

    def __init__(self) -> None:
        super().__init__(5, 5)
        self.update, self.is_merged = nn.Parameter(torch.full((5, 5), 1e-3)), False

    def train(self, mode: bool = True) -> _Adapter:
        if mode == self.is_merged:
            self.weight.data += -self.update.data if mode else self.update.data
            self.is_merged = not mode
        super().train(mode)
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        weight = self.weight if self.is_merged else self.weight + self.update
        return nn.functional.linear(inputs, weight, self.bias)


class _Watched(nn.Module):
    """Everything that a forward pass may change: two names, statistics kept in eval mode, notes, counters, a dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.adapter = nn.Linear(6, 5), nn.BatchNorm1d(5), _Adapter()
        self.gru, self.dropout = nn.GRU(5, 5, batch_first=True), nn.Dropout(0.5)
        self.body = nn.ModuleList([self.first, self.gru, nn.Linear(5, 3)])
        self.register_buffer("num_calls", torch.zeros(()))
        self.seen: list[tuple[int, ...]] = []
        self.latest: Tensor | None = None
        self.calls_left = iter(range(10**6))
        self.norm.eval()

    def forward(self, inputs: Tensor) -> Tensor:
        self.num_calls += 1
        self.seen.append(tuple(inputs.shape))
        hidden = self.dropout(self.adapter(self.norm(self.body[0](inputs)))) + 0.0 * torch.rand(5)
        self.latest = hidden
        if next(self.calls_left, None) is None:
            raise KeyError("the network's own mistake")
        outputs: Tensor = self.body[2](self.gru(hidden.unsqueeze(1))[0][:, -1])
        return outputs


def _everything(network: nn.Module) -> dict[str, Any]:
    """Identities of all that hangs on the modules, and values of all tensors."""
    held: dict[str, Any] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        for attribute, value in vars(module).items():
            inner = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
            held[f"{name}.{attribute}"] = value if isinstance(value, bool | int | str | None) else id(value)
            held |= {f"{name}.{attribute}.{key}": id(entry) for key, entry in inner.items()}
    held |= {f"value {name}": value.clone() for name, value in network.state_dict().items()}
    held |= {f"gradient {name}": parameter.grad for name, parameter in network.named_parameters()}
    held |= {f"trainable {name}": parameter.requires_grad for name, parameter in network.named_parameters()}
    held["random state"] = torch.get_rng_state()
    return held


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    def differs(key: str) -> bool:
        one, other = before.get(key, "missing"), after.get(key, "missing")
        return not torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else one != other

    return [key for key in before.keys() | after.keys() if differs(key)]


def _memory_aware(network: nn.Module, inputs: Tensor) -> None:
    for _ in memory_aware_steps(network, lambda start, stop: (inputs[start:stop], inputs), len(inputs)):
        pass


def _curvature(network: nn.Module, inputs: Tensor) -> None:
    groups = {name: [name] for name, _ in network.named_parameters()}
    pull_and_power(network, inputs, [(1, torch.ones(2))], groups, likelihood=CATEGORICAL, select=None, num_examples=9)


def _score(network: nn.Module, inputs: Tensor) -> None:
    labels = torch.zeros(len(inputs), dtype=torch.int64)
    source = DataSource(inputs, labels, inputs, labels, CATEGORICAL, 3, None, AsStored("float32"))
    score(network, TaskData(source, {"test": Part(inputs, labels, None)}), HeadView(0, 3, 3), split="test")


CALLS: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "fisher": exact_fisher,
    "memory aware": _memory_aware,
    "curvature": _curvature,
    "score": _score,
}


def _watched() -> _Watched:
    torch.manual_seed(0)
    network = _Watched()
    network.body[2].bias.requires_grad_(False)
    network.first.weight.grad = torch.ones(5, 6)
    network.first.register_forward_hook(lambda module, arguments, output: output * 1.0)
    return network


@pytest.mark.parametrize("call", CALLS)
def test_a_network_is_left_as_it_was(call: str) -> None:
    network, inputs = _watched(), torch.rand(7, 6)
    before = _everything(network)
    CALLS[call](network, inputs)
    assert _changes(before, _everything(network)) == []
    assert network.training
    assert not network.norm.training
    assert not network.adapter.is_merged


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("breaks_after", [0, 1, 2])
def test_so_it_is_when_its_forward_pass_raises(call: str, breaks_after: int) -> None:
    network, inputs = _watched(), torch.rand(7, 6)
    network.calls_left = iter(range(breaks_after))
    before = _everything(network)
    with pytest.raises(KeyError, match="own mistake"):
        CALLS[call](network, inputs)
    assert _changes(before, _everything(network)) == []


def test_the_reference_leaves_modules_with_two_names_their_parameters() -> None:
    network = _watched().eval()
    parameters = dict(network.named_parameters(remove_duplicate=False))
    reference_fisher(network, torch.rand(2, 6))
    assert all(parameter is parameters[name] for name, parameter in network.named_parameters(remove_duplicate=False))
