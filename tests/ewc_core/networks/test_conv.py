"""The convolutional network."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ewc_core.errors import SpecError
from ewc_core.networks import ConvNet, DropoutRates, build_network
from ewc_core.params import FlatParameters
from ewc_core.specs import ConvSpec, count_parameters


def _build(spec: ConvSpec, input_shape: tuple[int, ...] = (2, 5, 6), dropout: DropoutRates | None = None) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    return build_network(spec, input_shape=input_shape, num_outputs=3, generator=generator, dropout=dropout)


def _images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("channels", "hidden_sizes", "input_shape"),
    [([4], [], (1, 2, 3)), ([3, 5], [7], (2, 9, 7)), ([2, 2, 2], [4, 4], (3, 8, 11))],
)
def test_it_has_as_many_parameters_as_its_spec_counts(
    channels: list[int], hidden_sizes: list[int], input_shape: tuple[int, ...]
) -> None:
    spec = ConvSpec(kind="conv", channels=channels, hidden_sizes=hidden_sizes)
    network = _build(spec, input_shape)
    expected = count_parameters(spec, input_shape=input_shape, num_outputs=3)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    assert network(_images(4, *input_shape)).shape == (4, 3)
    assert FlatParameters(network).values.shape == (expected,)


def test_each_layer_convolves_rectifies_and_takes_the_largest_of_four() -> None:
    network = _build(ConvSpec(kind="conv", channels=[2], hidden_sizes=[]), (1, 3, 5))
    weight, bias, last, last_bias = (parameter.detach() for parameter in network.parameters())
    image = _images(1, 3, 5)
    padded = torch.zeros(5, 7)
    padded[1:4, 1:6] = image[0]
    pooled = torch.zeros(2, 1, 2)  # the third row and the fifth column have no partner
    for channel in range(2):
        for column in range(2):
            values = [
                float((padded[y : y + 3, x : x + 3] * weight[channel, 0]).sum() + bias[channel])
                for y in (0, 1)
                for x in (2 * column, 2 * column + 1)
            ]
            pooled[channel, 0, column] = max(0.0, *values)
    torch.testing.assert_close(network(image[None])[0], last @ pooled.flatten() + last_bias)


def test_weights_and_biases_are_uniform_draws_in_layer_order() -> None:
    spec = ConvSpec(kind="conv", channels=[4, 3], hidden_sizes=[6])
    generator = torch.Generator().manual_seed(0)
    expected = []
    for shape in ((4, 2, 3, 3), (3, 4, 3, 3), (6, 3), (3, 6)):
        bound = 1.0 / math.sqrt(math.prod(shape[1:]))
        expected.append(torch.empty(shape).uniform_(-bound, bound, generator=generator))
        expected.append(torch.empty(shape[0]).uniform_(-bound, bound, generator=generator))
    for dropout in (None, DropoutRates(0.2, 0.5)):
        network = _build(spec, dropout=dropout)
        assert all(torch.equal(a, b) for a, b in zip(network.parameters(), expected, strict=True))
    assert [name for name, _ in network.named_parameters() if name.endswith("weight")] == [
        "convolutions.0.weight",
        "convolutions.1.weight",
        "classifier.layers.0.weight",
        "classifier.layers.1.weight",
    ]


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    _build(ConvSpec(kind="conv"))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_silences_pixels_pooled_features_and_hidden_units() -> None:
    network = _build(ConvSpec(kind="conv", channels=[4], hidden_sizes=[6]), dropout=DropoutRates(0.2, 0.5))
    assert isinstance(network, ConvNet)
    inner = network.classifier
    assert [network.input_dropout.rate, inner.input_dropout.rate, inner.hidden_dropout.rate] == [0.2, 0.5, 0.5]
    images = _images(4, 2, 5, 6)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), _build(ConvSpec(kind="conv", channels=[4], hidden_sizes=[6]))(images))


@pytest.mark.parametrize(("input_shape", "said"), [((30,), "images"), ((1, 3, 8), "too small")])
def test_inputs_that_cannot_be_pooled_are_refused(input_shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(SpecError, match=said) as refused:
        _build(ConvSpec(kind="conv"), input_shape)
    assert refused.value.field == "network"
