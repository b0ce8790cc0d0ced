"""One network and its method."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ewc_core.consolidation import Quadratic
from ewc_core.errors import NonFiniteError, ParameterMismatch, StateFormatError
from ewc_core.specs import PenaltyStep, TrainingSpec
from ewc_core.supervised.learner import Learner, Segment

SGD = TrainingSpec.model_validate({"optimiser": "sgd", "learning_rate": 0.1})


def _learner(step: PenaltyStep = PenaltyStep.EXPLICIT, training: TrainingSpec = SGD) -> Learner:
    torch.manual_seed(0)
    return Learner(nn.Linear(3, 2), training, penalty_step=step)


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 1, 0, 1])


def _quadratic(precision: float) -> Quadratic:
    return Quadratic(torch.full((8,), precision), torch.full((8,), 0.5), constant=0.125)


def test_the_explicit_step_descends_the_loss_plus_the_penalty() -> None:
    learner, (inputs, labels) = _learner(), _batch()
    start = learner.parameters.values.clone().requires_grad_()
    loss = nn.functional.cross_entropy(nn.functional.linear(inputs, start[:6].view(2, 3), start[6:]), labels)
    total = loss + 0.5 * (4.0 * (start - 0.5).square()).sum()
    (gradient,) = torch.autograd.grad(total, start)
    learner.set_penalty(_quadratic(4.0))
    assert learner.step([Segment(inputs, labels)]) == pytest.approx(float(loss.detach()), rel=1e-6)
    torch.testing.assert_close(learner.parameters.values, start.detach() - 0.1 * gradient, rtol=1e-5, atol=1e-6)


def test_the_penalty_is_reported_with_its_constant_and_is_zero_without_constraints() -> None:
    learner = _learner()
    assert learner.penalty() == 0.0
    learner.set_penalty(_quadratic(2.0))
    expected = float((learner.parameters.values - 0.5).square().sum()) + 0.125
    assert learner.penalty() == pytest.approx(expected, rel=1e-6)


def test_an_explicit_step_explodes_where_the_proximal_one_holds() -> None:
    inputs, labels = _batch()
    explicit, proximal = _learner(), _learner(PenaltyStep.PROXIMAL)
    explicit.set_penalty(_quadratic(1e6))
    proximal.set_penalty(_quadratic(1e6))
    for _ in range(20):
        proximal.step([Segment(inputs, labels)])
    torch.testing.assert_close(proximal.parameters.values, torch.full((8,), 0.5), rtol=1e-4, atol=0)
    with pytest.raises(NonFiniteError, match="the loss is"):
        _step_often(explicit)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_the_penalty_does_not_enter_the_moments_of_the_proximal_step(optimiser: str) -> None:
    training = TrainingSpec.model_validate({"optimiser": optimiser, "momentum": 0.5 if optimiser == "sgd" else 0.0})
    with_penalty, without = _learner(PenaltyStep.PROXIMAL, training), _learner(PenaltyStep.PROXIMAL, training)
    with_penalty.set_penalty(_quadratic(1e3))
    with_penalty.step([Segment(*_batch())])
    without.step([Segment(*_batch())])
    states = [learner.state(in_visit=True) for learner in (with_penalty, without)]
    assert len(states[1]) > 1
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1] if name != "parameters")
    assert not torch.equal(states[0]["parameters"], states[1]["parameters"])


def test_state_of_another_kind_is_refused() -> None:
    learner = _learner()
    with pytest.raises(StateFormatError, match="expected 'parameters'"):
        learner.load_state({}, in_visit=False)
    with pytest.raises(StateFormatError, match="parameters only"):
        learner.load_state({"parameters": torch.zeros(8), "optimiser.step": torch.zeros(())}, in_visit=False)
    with pytest.raises(ParameterMismatch, match=r"\(9,\)"):
        learner.load_state({"parameters": torch.zeros(9)}, in_visit=False)


def _step_often(learner: Learner) -> None:
    for _ in range(20):
        learner.step([Segment(*_batch())])


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "rmsprop"])
def test_a_new_learning_rate_is_that_of_the_data_step_and_of_the_proximal_step(optimiser: str) -> None:
    halved = _learner(PenaltyStep.PROXIMAL, TrainingSpec.model_validate({"optimiser": optimiser, "learning_rate": 0.1}))
    fresh = _learner(PenaltyStep.PROXIMAL, TrainingSpec.model_validate({"optimiser": optimiser, "learning_rate": 0.05}))
    for learner in (halved, fresh):
        learner.set_penalty(_quadratic(3.0))
    halved.set_learning_rate(0.05)
    for learner in (halved, fresh):
        learner.step([Segment(*_batch())])
    assert torch.equal(halved.parameters.values, fresh.parameters.values)


def test_joint_training_on_many_tasks_takes_large_examples_in_groups_and_makes_the_same_step() -> None:
    """An example has 4 MiB, which are read, converted and transformed: six fit at once."""
    random = torch.Generator().manual_seed(3)
    inputs, labels = torch.rand(12, 2**20, generator=random), torch.randint(2, (12,), generator=random)
    parts = [(0, 5), (5, 6), (6, 10), (10, 12)]
    sizes: list[int] = []
    networks = [nn.Sequential(nn.AvgPool1d(2**19), nn.Linear(2, 2)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    together, apart = (Learner(network, SGD, penalty_step=PenaltyStep.PROXIMAL) for network in networks)
    loss = together.step([Segment(inputs, labels)])
    apart.network.register_forward_hook(lambda module, arguments, output: sizes.append(len(output)))
    assert apart.step([Segment(inputs[a:b], labels[a:b]) for a, b in parts]) == pytest.approx(loss, rel=1e-6)
    torch.testing.assert_close(apart.parameters.values, together.parameters.values)
    assert sizes == [2, 3, 6, 6]  # two to measure, then the groups


def test_a_visit_begins_with_a_gradient_whose_memory_was_given_back_at_the_end_of_the_one_before() -> None:
    learner, (inputs, labels) = _learner(), _batch()
    learner.start_visit()
    learner.step([Segment(inputs, labels)])
    learner.end_steps()
    assert learner.parameters.gradient.numel() == 0
    assert all(parameter.grad is None for parameter in learner.network.parameters())
    twin = _learner()
    twin.load_state(learner.state(in_visit=False), in_visit=False)
    for one in (learner, twin):
        one.start_visit()
        one.step([Segment(inputs, labels)])
    assert torch.equal(learner.parameters.values, twin.parameters.values)
