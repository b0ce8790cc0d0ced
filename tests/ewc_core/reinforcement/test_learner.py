"""A Q-network in training: its target network, the bounds on its steps, its penalty."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ewc_core.consolidation import Quadratic
from ewc_core.errors import NonFiniteError, StateFormatError
from ewc_core.reinforcement.learner import QLearner
from ewc_core.reinforcement.replay import Batch
from ewc_core.seeding import generator
from ewc_core.specs.method import PenaltyStep
from tests.ewc_core.reinforcement.jobs import job

SHAPE = (1, 10, 5)


def _learner(*, penalty_step: PenaltyStep = PenaltyStep.PROXIMAL, **agent: Any) -> QLearner:
    fields = {"optimiser": "rmsprop_centred", "learning_rate": 2.5e-4, **agent}
    return QLearner(job(agent=fields), input_shape=SHAPE, num_actions=3, penalty_step=penalty_step, seed=1)


def _batch(seed: int = 0, *, reward: float = 0.0) -> Batch:
    random = generator(seed)
    states = torch.randint(256, (2, 16, *SHAPE), generator=random).to(torch.uint8)
    actions = torch.randint(3, (16,), generator=random)
    return Batch(states[0], actions, torch.full((16,), reward), states[1], torch.ones(16))


def _target_of(learner: QLearner) -> Tensor:
    return learner.state()["target"]


def test_the_target_network_follows_every_period_and_when_another_task_is_selected() -> None:
    learner = _learner(target_update_period=8)
    for _ in range(2):
        learner.update(_batch(reward=1.0))
        learner.count_steps(4)
        followed = torch.equal(_target_of(learner), learner.parameters.values)
    assert followed
    learner.update(_batch(reward=1.0))
    learner.count_steps(4)
    assert not torch.equal(_target_of(learner), learner.parameters.values)
    learner.select(1)
    assert torch.equal(_target_of(learner), learner.parameters.values)  # with the biases and gains of the new task


def test_the_gradient_of_a_step_is_no_longer_than_the_bound() -> None:
    bound = 1e-3
    free, bounded = _learner(max_gradient_norm=None), _learner(max_gradient_norm=bound)
    for learner in (free, bounded):
        learner.update(_batch(reward=1.0))
    length = float(free.parameters.gradient.norm())
    assert length > 10 * bound
    assert float(bounded.parameters.gradient.norm()) == pytest.approx(bound, rel=1e-5)
    torch.testing.assert_close(bounded.parameters.gradient, free.parameters.gradient * (bound / length))


def test_an_explicit_penalty_joins_the_gradient_beyond_the_bound() -> None:
    plain, tied = _learner(max_gradient_norm=1e-3), _learner(max_gradient_norm=1e-3, penalty_step=PenaltyStep.EXPLICIT)
    values = tied.parameters.values.clone()
    quadratic = Quadratic(torch.full_like(values, 2.0), torch.zeros_like(values), 0.0)
    tied.set_penalty(quadratic)
    assert tied.penalty() == pytest.approx(float(values.double().square().sum()), rel=1e-5)
    for learner in (plain, tied):
        learner.update(_batch())
    torch.testing.assert_close(tied.parameters.gradient, plain.parameters.gradient + 2.0 * values)


def test_a_proximal_penalty_of_any_strength_holds_what_it_is_on_and_nothing_else() -> None:
    learner = _learner()
    values = learner.parameters.values.clone()
    held = torch.zeros_like(values)
    held[::2] = 1e12
    learner.set_penalty(Quadratic(held, torch.where(held > 0, values, 0.0), 0.0))
    for seed in range(5):
        learner.update(_batch(seed, reward=1.0))
    moved = (learner.parameters.values - values).abs()
    assert float(moved[::2].max()) < 1e-6
    assert float(moved[1::2].max()) > 1e-4


def test_a_loss_that_is_not_a_number_is_refused_before_any_step() -> None:
    learner = _learner()
    before = learner.state()
    with pytest.raises(NonFiniteError, match="nan"):
        learner.update(_batch(reward=float("nan")))
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.state().items())


@pytest.mark.parametrize("part", ["target", "counts", "optimiser.squares", "tasks.parameters"])
def test_a_state_without_a_part_is_refused_and_so_is_one_with_a_strange_part(part: str) -> None:
    learner = _learner()
    state = learner.state()
    with pytest.raises(StateFormatError):
        learner.load_state({name: tensor for name, tensor in state.items() if name != part})
    with pytest.raises(StateFormatError, match="strange"):
        learner.load_state({**state, "strange": torch.zeros(1)})
