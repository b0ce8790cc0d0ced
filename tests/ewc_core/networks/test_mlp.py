"""The fully connected network."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from ewc_core.networks import MLP, DropoutRates, build_network
from ewc_core.specs import MLPSpec, count_parameters


def _build(hidden_sizes: list[int], seed: int = 0, dropout: DropoutRates | None = None) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    return build_network(
        MLPSpec(hidden_sizes=hidden_sizes), input_shape=(1, 2, 3), num_outputs=3, generator=generator, dropout=dropout
    )


@pytest.mark.parametrize("hidden_sizes", [[], [5], [7, 4]])
def test_it_has_as_many_parameters_as_its_spec_counts(hidden_sizes: list[int]) -> None:
    network = _build(hidden_sizes)
    expected = count_parameters(MLPSpec(hidden_sizes=hidden_sizes), input_shape=(1, 2, 3), num_outputs=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network(torch.zeros(2, 6)).shape == (2, 3)


def test_it_is_made_without_loading_a_library_of_symbols() -> None:
    program = (
        "import sys, torch; from ewc_core.networks import MLP;MLP([3, 4, 2], torch.Generator()); print('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("dropout", [None, DropoutRates(0.2, 0.5)])
def test_weights_and_biases_are_uniform_draws_in_layer_order(dropout: DropoutRates | None) -> None:
    generator = torch.Generator().manual_seed(3)
    expected = []
    for inputs, outputs in ((6, 7), (7, 4), (4, 3)):
        bound = 1.0 / math.sqrt(inputs)
        expected.append(torch.empty(outputs, inputs).uniform_(-bound, bound, generator=generator))
        expected.append(torch.empty(outputs).uniform_(-bound, bound, generator=generator))
    network = _build([7, 4], seed=3, dropout=dropout)
    assert [name for name, _ in network.named_parameters()] == [
        f"layers.{index}.{part}" for index in range(3) for part in ("weight", "bias")
    ]
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), expected, strict=True))


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


def test_hidden_layers_are_rectified_and_outputs_are_not() -> None:
    network = _build([5])
    parameters = dict(network.named_parameters())
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    hidden = (inputs @ parameters["layers.0.weight"].T + parameters["layers.0.bias"]).clamp_min(0)
    expected = hidden @ parameters["layers.1.weight"].T + parameters["layers.1.bias"]
    torch.testing.assert_close(network(inputs), expected)


def test_images_and_their_flat_features_give_the_same_outputs() -> None:
    network = _build([5])
    images = torch.randn(4, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images), network(images.reshape(4, 6)))


def test_units_are_dropped_before_the_layer_that_reads_them() -> None:
    network = MLP([6, 5, 3], torch.Generator().manual_seed(0), DropoutRates(input_rate=0.25, hidden_rate=0.5))
    inputs = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    network.input_dropout.generator = network.hidden_dropout.generator = torch.Generator().manual_seed(2)
    kept_inputs = torch.rand(4, 6, generator=generator) >= 0.25
    kept_units = torch.rand(4, 5, generator=generator) >= 0.5
    first, last = network.layers
    hidden = torch.relu(first(inputs * kept_inputs / 0.75)) * kept_units / 0.5
    torch.testing.assert_close(network(inputs), last(hidden))
