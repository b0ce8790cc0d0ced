"""Centred RMSProp with eps inside the root, its proximal step, and the bound on the gradient's norm."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ewc_core.consolidation import Quadratic
from ewc_core.errors import StateFormatError
from ewc_core.optimisers import make_agent_optimiser
from ewc_core.optimisers.centred_rms_prop import _CHUNK, CentredRMSProp
from ewc_core.params import FlatParameters
from ewc_core.reinforcement.td import clip_global_norm_
from ewc_core.specs.agent import AgentSpec

RATE, DECAY, EPS = 0.1, 0.9, 0.01


def _parameters(values: list[float], dtype: torch.dtype = torch.float64) -> FlatParameters:
    network = nn.Linear(len(values), 1, bias=False, dtype=dtype)
    parameters = FlatParameters(network)
    parameters.load_flat(torch.tensor(values, dtype=dtype))
    return parameters


def test_two_steps_are_those_computed_by_hand() -> None:
    parameters = _parameters([1.0, -2.0])
    optimiser = CentredRMSProp(parameters, learning_rate=RATE, decay=DECAY, eps=EPS)
    expected = [1.0, -2.0]
    squares, means = [0.0, 0.0], [0.0, 0.0]
    for gradient in ([0.5, -3.0], [-0.25, 4.0]):
        parameters.gradient.copy_(torch.tensor(gradient, dtype=torch.float64))
        optimiser.step()
        for index, g in enumerate(gradient):
            squares[index] = DECAY * squares[index] + (1 - DECAY) * g * g
            means[index] = DECAY * means[index] + (1 - DECAY) * g
            expected[index] -= RATE * g / (squares[index] - means[index] ** 2 + EPS) ** 0.5
    assert parameters.values.tolist() == pytest.approx(expected, rel=1e-14)


def test_eps_is_inside_the_root_so_a_first_small_gradient_moves_by_rate_over_its_root() -> None:
    parameters = _parameters([0.0])
    optimiser = CentredRMSProp(parameters, learning_rate=2.5e-4, decay=0.95, eps=0.01)
    parameters.gradient.fill_(1e-9)
    optimiser.step()
    assert float(parameters.values) == pytest.approx(-2.5e-3 * 1e-9, rel=1e-6)  # the paper's maximal rate, lr / √0.01


def test_the_proximal_step_rests_where_gradient_and_penalty_cancel() -> None:
    curvature = torch.tensor([1.0, 3.0, 0.5], dtype=torch.float64)
    optimum = torch.tensor([1.0, -1.0, 2.0], dtype=torch.float64)
    quadratic = Quadratic(
        torch.tensor([2.0, 1e6, 0.0], dtype=torch.float64), torch.tensor([-1.0, 0.5, 0.0], dtype=torch.float64), 0.0
    )
    parameters = _parameters([0.3, 0.3, 0.3])
    optimiser = CentredRMSProp(parameters, learning_rate=0.01, decay=DECAY, eps=EPS)
    step = optimiser.proximal(quadratic)
    for _ in range(5000):
        parameters.gradient.copy_(curvature * (parameters.values - optimum))
        step()
    precision = quadratic.precision
    expected = (curvature * optimum + precision * quadratic.centre) / (curvature + precision)
    torch.testing.assert_close(parameters.values, expected, rtol=1e-6, atol=1e-6)


def test_without_precision_the_proximal_step_is_the_plain_one_bit_for_bit() -> None:
    plain, tied = _parameters([1.0, 2.0], torch.float32), _parameters([1.0, 2.0], torch.float32)
    zero = Quadratic(torch.zeros(2), torch.zeros(2), 0.0)
    one = CentredRMSProp(plain, learning_rate=RATE, decay=DECAY, eps=EPS)
    other = CentredRMSProp(tied, learning_rate=RATE, decay=DECAY, eps=EPS).proximal(zero)
    for _ in range(5):
        plain.gradient.copy_(torch.tensor([0.3, -0.7]))
        tied.gradient.copy_(torch.tensor([0.3, -0.7]))
        one.step()
        other()
    assert torch.equal(plain.values, tied.values)


def test_its_state_goes_on_bit_for_bit_and_a_strange_one_is_refused() -> None:
    gradients = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    parameters = _parameters([1.0, -1.0], torch.float32)
    optimiser = CentredRMSProp(parameters, learning_rate=RATE, decay=DECAY, eps=EPS)
    for number, gradient in enumerate(gradients):
        if number == 3:
            kept_values = parameters.values.clone()
            kept_state = {name: tensor.clone() for name, tensor in optimiser.state().items()}
        parameters.gradient.copy_(gradient)
        optimiser.step()

    other = _parameters(kept_values.tolist(), torch.float32)
    going_on = CentredRMSProp(other, learning_rate=RATE, decay=DECAY, eps=EPS)
    going_on.load_state(kept_state)
    for gradient in gradients[3:]:
        other.gradient.copy_(gradient)
        going_on.step()
    assert torch.equal(other.values, parameters.values)
    with pytest.raises(StateFormatError, match="squares"):
        going_on.load_state({"squares": torch.zeros(2)})


def test_the_paper_has_centred_rmsprop_and_the_small_preset_adam() -> None:
    parameters = _parameters([0.0], torch.float32)
    optimiser = make_agent_optimiser(AgentSpec(preset="paper"), parameters)
    assert isinstance(optimiser, CentredRMSProp)
    assert optimiser.learning_rate == 2.5e-4
    assert not isinstance(make_agent_optimiser(AgentSpec(preset="small"), parameters), CentredRMSProp)


def test_a_long_gradient_is_cut_to_the_norm_and_a_short_one_left_alone() -> None:
    long, short = torch.tensor([300.0, 400.0]), torch.tensor([0.3, 0.4])
    assert float(clip_global_norm_(long, 50.0)) == pytest.approx(500.0)
    torch.testing.assert_close(long, torch.tensor([30.0, 40.0]))
    clip_global_norm_(short, 50.0)
    assert torch.equal(short, torch.tensor([0.3, 0.4]))


def test_more_parameters_than_a_chunk_are_stepped_alike_and_pulled_alike() -> None:
    num = 2 * _CHUNK + 5
    parameters = _parameters([0.5] * num)
    optimiser = CentredRMSProp(parameters, learning_rate=RATE, decay=DECAY, eps=EPS)
    pulled = optimiser.proximal(Quadratic(torch.full_like(parameters.values, 2.0), torch.full_like(parameters.values, -1.0), 0.0))
    for step in (optimiser.step, pulled):
        parameters.gradient.fill_(0.25)
        step()
        assert parameters.values.min() == parameters.values.max()
    assert float(parameters.values[0]) < 0.0
