"""Estimating the Fisher leaves no trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ewc_core.fisher import exact_fisher, fisher_steps, reference_fisher
from tests.ewc_core.fisher.networks import NETWORKS, inputs_for


@pytest.mark.parametrize("name", ["mlp", "batch norm", "conv", "recurrent", "branching"])
def test_parameters_gradients_buffers_modes_and_random_state_are_left_alone(name: str) -> None:
    network, inputs = NETWORKS[name], inputs_for(name)
    network.train()
    first = next(iter(network.children()))
    first.eval()
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    next(network.parameters()).requires_grad_(False)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random_state = torch.get_rng_state()

    exact_fisher(network, inputs)

    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is not None and bool((parameter.grad == 1).all()) for parameter in network.parameters())
    assert [parameter.requires_grad for parameter in network.parameters()] == [False] + [True] * (
        len(list(network.parameters())) - 1
    )
    assert network.training
    assert not first.training
    assert all(not module._forward_hooks for module in network.modules())
    network.eval()
    for parameter in network.parameters():
        parameter.requires_grad_(True)
        parameter.grad = None


def test_frozen_parameters_have_a_fisher_of_zero_and_change_nothing_for_the_others() -> None:
    network, inputs = NETWORKS["mlp"], inputs_for("mlp")
    expected = reference_fisher(network, inputs)
    frozen = dict(network.named_parameters())["2.weight"].requires_grad_(False)
    actual = exact_fisher(network, inputs)
    frozen.requires_grad_(True)
    assert list(actual) == list(expected)
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name] * (name != "2.weight"), rtol=1e-12, atol=0)


class _Noisy(nn.Module):
    """Draws from the global generator and counts its calls, also in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)
        self.register_buffer("num_calls", torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        self.num_calls += 1
        logits: Tensor = self.head(inputs) + torch.rand(4)
        return logits


def test_a_network_that_draws_and_counts_in_eval_mode_is_left_alone_too() -> None:
    network = _Noisy()
    random_state = torch.get_rng_state()
    exact_fisher(network, torch.ones(3, 6))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert float(network.num_calls) == 0.0


def test_an_embedding_that_shortens_its_rows_keeps_them_long() -> None:
    network = nn.Sequential(nn.Embedding(5, 3, max_norm=0.1), nn.Flatten(), nn.Linear(6, 2)).double()
    tokens, before = torch.tensor([[0, 1], [1, 4]]), network[0].weight.detach().clone()
    actual = exact_fisher(network, tokens)
    assert torch.equal(network[0].weight, before)
    expected = reference_fisher(network, tokens)
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-6, atol=1e-15)


def test_modes_are_right_between_chunks_and_after_giving_up() -> None:
    network, inputs = NETWORKS["batch norm"], inputs_for("batch norm")
    network.train()
    steps = fisher_steps(network, lambda start, stop: (inputs[start:stop], inputs), len(inputs), chunk_bytes=1)
    assert next(steps) == 1
    assert network.training
    steps.close()
    assert all(module.training for module in network.modules())
    network.eval()


def test_it_works_where_gradients_are_switched_off() -> None:
    network, inputs = NETWORKS["conv"], inputs_for("conv")
    expected = exact_fisher(network, inputs)
    with torch.no_grad():
        actual = exact_fisher(network, inputs)
    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_a_trained_network_with_dropout_gives_the_same_fisher_twice() -> None:
    network, inputs = NETWORKS["batch norm"], inputs_for("batch norm")
    network.train()
    first, second = exact_fisher(network, inputs), exact_fisher(network, inputs)
    network.eval()
    assert all(torch.equal(first[name], second[name]) for name in first)
