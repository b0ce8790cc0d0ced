"""Playing on noisy weights, and what the noise does to Q-values."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ewc_core.analysis.perturbation import draw_noise, predicted_increase
from ewc_core.params import FlatParameters
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.reinforcement.noisy_play import change_of_values, noisy_return
from ewc_core.specs.environments import GymnasiumTask

CATCH = GymnasiumTask(kind="gymnasium", id="ewc/Catch-v0")


class Linear(nn.Module):
    """Q-values that are linear in the parameters, so that the second order is all there is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(3, 50, generator=torch.Generator().manual_seed(3)))

    def forward(self, states: Tensor) -> Tensor:
        return states.flatten(1).float() @ self.weight.T


def _play(network: Linear, parameters: FlatParameters, sigma: float, seen: list[Tensor], *, max_steps: int = 20) -> float:
    def q_values(states: Tensor) -> Tensor:
        seen.append(parameters.values.clone())
        return network(states).detach()

    game = make_environments(CATCH, num_envs=1, seed=5)
    return noisy_return(
        game,
        q_values,
        parameters,
        torch.full((150,), sigma).double(),
        history=1,
        exploration_epsilon=0.0,
        max_steps=max_steps,
        noise=torch.Generator().manual_seed(0),
        actions=torch.Generator().manual_seed(1),
    )


def test_every_step_has_noise_of_its_own_and_nothing_is_left_of_it() -> None:
    network = Linear()
    parameters = FlatParameters(network)
    before, seen = parameters.values.clone(), list[Tensor]()
    assert _play(network, parameters, 0.5, seen) in (-1.0, 1.0)
    assert len(seen) == 9
    offsets = torch.stack(seen) - before
    assert float(offsets.std()) == pytest.approx(0.5, rel=0.1)
    assert len({float(offset[0]) for offset in offsets}) == 9
    assert float(torch.corrcoef(offsets).fill_diagonal_(0.0).abs().max()) < 0.35
    assert torch.equal(parameters.values, before)


def test_without_noise_the_network_plays_as_it_is() -> None:
    network = Linear()
    parameters = FlatParameters(network)
    seen: list[Tensor] = []
    _play(network, parameters, 0.0, seen)
    assert len(seen) == 9
    assert all(torch.equal(values, parameters.values) for values in seen)


def test_an_episode_is_cut_and_the_parameters_come_back_when_the_game_fails() -> None:
    network = Linear()
    parameters = FlatParameters(network)
    before, seen = parameters.values.clone(), list[Tensor]()
    assert _play(network, parameters, 1.0, seen, max_steps=4) == 0.0
    assert len(seen) == 4

    def broken(states: Tensor) -> Tensor:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        noisy_return(
            make_environments(CATCH, num_envs=1, seed=5),
            broken,
            parameters,
            torch.ones(150).double(),
            history=1,
            exploration_epsilon=0.0,
            max_steps=4,
            noise=torch.Generator(),
            actions=torch.Generator(),
        )
    assert torch.equal(parameters.values, before)


def test_where_q_values_are_linear_their_mean_change_is_what_the_fisher_predicts() -> None:
    network = Linear()
    parameters = FlatParameters(network)
    states = torch.rand(600, 1, 10, 5, generator=torch.Generator().manual_seed(0))
    fisher = states.flatten(1).square().mean(0).repeat(3).double()  # (∂Q_a/∂W_ai)² = x_i², of every action
    deviations = torch.linspace(0.0, 0.2, 150, dtype=torch.float64)
    anchor, reference = parameters.values.clone(), network(states).detach()
    noise = torch.Generator().manual_seed(2)
    changes = []
    for _ in range(300):
        parameters.values.copy_(anchor + draw_noise(deviations, noise))
        changes.append(change_of_values(lambda part: network(part).detach(), states, reference, 512))
    measured = torch.tensor(changes)
    error = float(measured.std()) / len(measured) ** 0.5
    assert abs(float(measured.mean()) - predicted_increase(fisher, deviations)) < 3 * error
    parameters.values.copy_(anchor)
    assert change_of_values(lambda part: network(part).detach(), states, reference, 512) < 1e-12
