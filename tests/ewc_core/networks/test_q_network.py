"""Networks whose layers have a bias and a gain for every task over shared weights."""

from __future__ import annotations

import math

import pytest
import torch

from ewc_core.errors import SpecError
from ewc_core.networks.q_network import GainLayer, QNetwork, build_q_network, shared_names
from ewc_core.seeding import generator
from ewc_core.specs.agent import DQNNetworkSpec, QConvSpec, QMLPSpec, QNetworkSpec

MLP = QMLPSpec(kind="mlp", hidden_sizes=[7, 5])
SMALL_CONV = QConvSpec(kind="conv", channels=4, hidden_size=6)


def _network(spec: QNetworkSpec, input_shape: tuple[int, ...], num_actions: int = 18) -> QNetwork:
    return build_q_network(spec, input_shape=input_shape, num_actions=num_actions, generator=generator(0, "network"))


def _num_shared(network: QNetwork) -> int:
    parameters = dict(network.named_parameters())
    return sum(parameters[name].numel() for name in shared_names(network))


@pytest.mark.parametrize(("size", "expected"), [("paper", 6_555_648), ("standard", 1_692_672)])
def test_the_networks_for_atari_have_as_many_shared_weights_as_the_paper_says(size: str, expected: int) -> None:
    network = _network(DQNNetworkSpec.model_validate({"kind": "dqn", "size": size}), (4, 84, 84))
    assert _num_shared(network) == expected
    assert network(torch.zeros(2, 4, 84, 84, dtype=torch.uint8)).shape == (2, 18)


def test_a_layer_is_gain_times_weighted_sum_plus_bias() -> None:
    layer = _network(MLP, (1, 3)).layers[0]
    assert isinstance(layer, GainLayer)
    with torch.no_grad():
        layer.bias.normal_(generator=generator(1))
        layer.gain.normal_(generator=generator(2))
    x = torch.randn(4, 3, generator=generator(3))
    torch.testing.assert_close(layer(x), (x @ layer.weight.weight.T + layer.bias) * layer.gain)


def test_a_convolution_has_one_bias_and_one_gain_per_feature_map_and_scales_whole_maps() -> None:
    layer = _network(SMALL_CONV, (1, 5, 6)).layers[0]
    assert layer.bias.numel() == layer.gain.numel() == 4
    x = torch.randn(2, 1, 5, 6, generator=generator(1))
    before = layer(x).detach()
    with torch.no_grad():
        layer.gain[2] = 3.0
    after = layer(x).detach()
    torch.testing.assert_close(after[:, 2], 3.0 * before[:, 2])
    assert torch.equal(after[:, [0, 1, 3]], before[:, [0, 1, 3]])


def test_every_layer_the_last_one_included_begins_with_bias_0_gain_1_and_weights_within_one_over_the_root_of_fan_in() -> None:
    network = _network(DQNNetworkSpec(kind="dqn", size="standard"), (4, 84, 84))
    assert len(network.layers) == 5
    for layer in network.layers:
        weight = layer.weight.weight.detach()
        bound = 1.0 / math.sqrt(weight[0].numel())
        assert float(weight.abs().max()) <= bound
        assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.05)  # uniform
        assert float(layer.bias.detach().abs().max()) == 0.0
        assert float((layer.gain.detach() - 1).abs().max()) == 0.0


def test_bytes_are_scaled_to_1_and_leave_the_frames_alone() -> None:
    network = _network(SMALL_CONV, (2, 3, 5, 6))
    frames = torch.randint(256, (3, 2, 3, 5, 6), generator=generator(4)).to(torch.uint8)
    kept = frames.clone()
    torch.testing.assert_close(network(frames), network(frames.float() / 255))
    assert torch.equal(frames, kept)


def test_an_mlp_takes_frames_of_any_shape() -> None:
    assert _network(MLP, (2, 10, 5), num_actions=3)(torch.zeros(4, 2, 10, 5)).shape == (4, 3)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [(SMALL_CONV, (4, 6)), (SMALL_CONV, (1, 2, 9)), (DQNNetworkSpec(kind="dqn"), (4, 10, 5))],
)
def test_a_convolution_on_frames_that_it_is_not_made_for_is_refused(spec: QNetworkSpec, shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=r"network\.kind") as refused:
        _network(spec, shape)
    assert refused.value.field == "network"


def test_the_same_seed_gives_the_same_weights_and_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, other = _network(MLP, (1, 3)), _network(MLP, (1, 3))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
