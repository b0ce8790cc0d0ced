"""Values and gradients in closed form are those of autograd."""

from __future__ import annotations

import pytest
import torch

from ewc_core.errors import ParameterMismatch
from ewc_core.networks.q_network import QNetwork, build_q_network
from ewc_core.networks.q_passes import QPasses
from ewc_core.params import FlatParameters
from ewc_core.seeding import generator
from ewc_core.specs.agent import DQNNetworkSpec, QConvSpec, QMLPSpec, QNetworkSpec

NETWORKS = pytest.mark.parametrize(
    ("spec", "input_shape"),
    [
        (QMLPSpec(kind="mlp", hidden_sizes=[7, 5]), (2, 3)),
        (QConvSpec(kind="conv", channels=4, hidden_size=6), (1, 4, 5, 6)),
        (DQNNetworkSpec(kind="dqn", size="standard"), (4, 84, 84)),
    ],
    ids=["mlp", "conv", "dqn"],
)


def _network(spec: QNetworkSpec, input_shape: tuple[int, ...]) -> tuple[QNetwork, FlatParameters]:
    """In float64, every parameter moved, biases and gains included; one gain is 0 and one is negative."""
    network = build_q_network(spec, input_shape=input_shape, num_actions=3, generator=generator(0, "network")).double()
    parameters = FlatParameters(network)
    parameters.values.add_(0.1 * torch.randn(len(parameters.values), generator=generator(1), dtype=torch.float64))
    with torch.no_grad():
        network.layers[0].gain[0], network.layers[0].gain[1] = 0.0, -0.7
    return network, parameters


@NETWORKS
def test_the_gradient_of_every_parameter_is_that_of_autograd_and_overwrites_what_was_there(
    spec: QNetworkSpec, input_shape: tuple[int, ...]
) -> None:
    network, parameters = _network(spec, input_shape)
    states = torch.randn(6, *input_shape, generator=generator(2), dtype=torch.float64)
    gradient = torch.randn(6, 3, generator=generator(3), dtype=torch.float64)
    values = network(states)
    values.backward(gradient)
    expected = parameters.gradient.clone()
    parameters.gradient.fill_(7.0)

    traced, trace = (passes := QPasses(network)).trace(states)
    passes.write_gradient(trace, gradient)

    torch.testing.assert_close(traced, values.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(parameters.gradient, expected, rtol=1e-10, atol=1e-12)
    assert float(expected.abs().max()) > 0.1


@NETWORKS
def test_values_alone_are_those_of_the_network_for_bytes_too(spec: QNetworkSpec, input_shape: tuple[int, ...]) -> None:
    network, parameters = _network(spec, input_shape)
    network.float()
    parameters = FlatParameters(network)
    states = torch.randint(256, (5, *input_shape), generator=generator(2), dtype=torch.uint8)
    passes = QPasses(network)
    torch.testing.assert_close(passes.values(states), network(states).detach())
    parameters.values.mul_(1.5)  # in place, as an optimiser does
    torch.testing.assert_close(passes.values(states), network(states).detach())


def test_parameters_without_a_place_for_the_gradient_are_refused() -> None:
    network = build_q_network(QMLPSpec(kind="mlp"), input_shape=(3,), num_actions=2, generator=generator(0))
    with pytest.raises(ParameterMismatch, match="no gradient"):
        QPasses(network)
