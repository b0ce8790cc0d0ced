"""The fully connected network."""

from __future__ import annotations

import pytest
import torch

from ewc_core.networks import build_network
from ewc_core.specs import MLPSpec, count_parameters


def _build(hidden_sizes: list[int], seed: int = 0) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    return build_network(MLPSpec(hidden_sizes=hidden_sizes), num_features=6, num_classes=3, generator=generator)


@pytest.mark.parametrize("hidden_sizes", [[], [5], [7, 4]])
def test_it_has_as_many_parameters_as_its_spec_counts(hidden_sizes: list[int]) -> None:
    network = _build(hidden_sizes)
    expected = count_parameters(MLPSpec(hidden_sizes=hidden_sizes), num_features=6, num_classes=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network(torch.zeros(2, 6)).shape == (2, 3)


def test_initial_weights_depend_on_the_generator_alone() -> None:
    torch.manual_seed(1)
    first = _build([5])
    torch.manual_seed(2)
    second, other = _build([5]), _build([5], seed=1)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    _build([5])
    assert torch.equal(torch.get_rng_state(), before)


def test_hidden_layers_are_rectified_and_logits_are_not() -> None:
    network = _build([5])
    parameters = dict(network.named_parameters())
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    hidden = (inputs @ parameters["layers.0.weight"].T + parameters["layers.0.bias"]).clamp_min(0)
    expected = hidden @ parameters["layers.1.weight"].T + parameters["layers.1.bias"]
    torch.testing.assert_close(network(inputs), expected)
