"""Flat parameters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ewc_core.errors import ParameterMismatch
from ewc_core.params import FlatParameters, ParameterLayout


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def test_parameters_and_gradients_are_views_of_the_flat_vectors() -> None:
    network = _network()
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    flat = FlatParameters(network)
    assert all(torch.equal(flat.named()[name], tensor) for name, tensor in before.items())
    network(torch.ones(1, 3)).sum().backward()
    expected = torch.cat([parameter.grad.reshape(-1) for parameter in network.parameters() if parameter.grad is not None])
    assert torch.equal(flat.gradient, expected)
    assert flat.gradient.abs().sum() > 0
    flat.values.zero_()
    assert all(not parameter.any() for parameter in network.parameters())


def test_backward_accumulates_into_the_same_vector() -> None:
    network = _network()
    flat = FlatParameters(network)
    network(torch.ones(1, 3)).sum().backward()
    once = flat.gradient.clone()
    network(torch.ones(1, 3)).sum().backward()
    assert torch.equal(flat.gradient, 2 * once)


def test_named_and_flat_are_inverse() -> None:
    layout = ParameterLayout.of(_network())
    flat = torch.arange(layout.num_parameters, dtype=torch.float64)
    assert layout.num_parameters == 3 * 4 + 4 + 4 * 2 + 2
    assert torch.equal(layout.join(layout.split(flat), dtype=torch.float64), flat)


def test_what_does_not_fit_is_refused_by_name() -> None:
    layout = ParameterLayout.of(_network())
    named = layout.split(torch.zeros(layout.num_parameters))
    with pytest.raises(ParameterMismatch, match=r"missing \['0.weight'\], unknown \['w'\]"):
        layout.check({**{name: tensor for name, tensor in named.items() if name != "0.weight"}, "w": torch.zeros(1)})
    with pytest.raises(ParameterMismatch, match=r"'2.bias' has shape \(3,\), expected \(2,\)"):
        layout.check({**named, "2.bias": torch.zeros(3)})
    with pytest.raises(ParameterMismatch, match=r"shape \(7,\)"):
        layout.split(torch.zeros(7))
    flat = FlatParameters(_network())
    with pytest.raises(ParameterMismatch, match="float64"):
        flat.load_flat(flat.values.double())


def test_mixed_dtypes_are_refused() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    with pytest.raises(ParameterMismatch, match="one dtype"):
        FlatParameters(network)
