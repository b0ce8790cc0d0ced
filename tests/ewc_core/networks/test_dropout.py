"""Dropout with an explicit generator."""

from __future__ import annotations

import torch

from ewc_core.networks import MLP, DropoutRates, SeededDropout, reseed_dropout


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_kept_values_are_scaled_so_that_the_mean_is_the_input() -> None:
    dropout = SeededDropout(0.2, _generator())
    outputs = dropout(torch.full((200_000,), 4.0))
    assert set(outputs.tolist()) == {0.0, 5.0}
    # Standard error of the mean: 5 · √(0.8 · 0.2 / 200000) = 0.0045.
    assert abs(float(outputs.mean()) - 4.0) < 4 * 0.0045


def test_masks_come_from_the_given_generator_alone() -> None:
    inputs = torch.ones(3, 50)
    before = torch.get_rng_state()
    first, second = (SeededDropout(0.5, _generator())(inputs) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(first, (torch.rand(3, 50, generator=_generator()) >= 0.5) * 2.0)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_call_draws_a_new_mask_for_every_example() -> None:
    dropout = SeededDropout(0.5, _generator())
    first, second = dropout(torch.ones(2, 100)), dropout(torch.ones(2, 100))
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_it_is_the_identity_in_eval_mode_and_with_rate_0_and_draws_nothing() -> None:
    inputs = torch.randn(2, 5, generator=_generator())
    for dropout in (SeededDropout(0.5, _generator()).eval(), SeededDropout(0.0, _generator())):
        assert dropout(inputs) is inputs
        assert torch.equal(dropout.generator.get_state(), _generator().get_state())


def test_the_gradient_passes_through_kept_values_only() -> None:
    inputs = torch.ones(100, requires_grad=True)
    outputs = SeededDropout(0.25, _generator())(inputs)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, outputs.detach())


def test_reseeding_repeats_the_masks_of_the_whole_network() -> None:
    network = MLP([8, 16, 16, 3], _generator(), DropoutRates(0.2, 0.5))
    inputs = torch.ones(4, 8)
    outputs = []
    for seed in (7, 7, 8):
        reseed_dropout(network, _generator(seed))
        outputs.append(network(inputs))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
