"""Optimisers on flat parameters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ewc_core.consolidation import Quadratic
from ewc_core.consolidation.proximal import refreshed_at
from ewc_core.errors import StateFormatError
from ewc_core.optimisers import Optimiser, make_optimiser
from ewc_core.params import FlatParameters
from ewc_core.specs import TrainingSpec

SPECS = {
    "sgd": TrainingSpec.model_validate({"optimiser": "sgd", "learning_rate": 0.05}),
    "momentum": TrainingSpec.model_validate({"optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.8}),
    "adam": TrainingSpec.model_validate({"optimiser": "adam", "learning_rate": 0.01}),
}
ALL = {**SPECS, "rmsprop": TrainingSpec.model_validate({"optimiser": "rmsprop", "learning_rate": 0.01})}


def _parameters() -> FlatParameters:
    torch.manual_seed(0)
    return FlatParameters(nn.Linear(3, 2).double())


def _set_gradient(parameters: FlatParameters, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    parameters.gradient.copy_(torch.randn(parameters.gradient.shape, generator=generator, dtype=torch.float64))


def _reference(name: str, values: torch.Tensor) -> torch.optim.Optimizer:
    spec = SPECS[name]
    if name == "adam":
        return torch.optim.Adam([values], lr=spec.learning_rate, foreach=False, fused=False)
    return torch.optim.SGD([values], lr=spec.learning_rate, momentum=spec.momentum, foreach=False)


@pytest.mark.parametrize("name", SPECS)
def test_steps_are_those_of_the_plain_torch_optimiser(name: str) -> None:
    parameters = _parameters()
    values = nn.Parameter(parameters.values.clone())
    optimiser, reference = make_optimiser(SPECS[name], parameters), _reference(name, values)
    for step in range(20):
        _set_gradient(parameters, step)
        values.grad = parameters.gradient.clone()
        optimiser.step()
        reference.step()
    torch.testing.assert_close(parameters.values, values.detach(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("num_steps", [5, 16, 19])
@pytest.mark.parametrize("name", SPECS)
def test_state_carries_everything_to_another_optimiser(name: str, num_steps: int) -> None:
    first, second = _parameters(), _parameters()
    generator = torch.Generator().manual_seed(0)
    quadratic = Quadratic(torch.rand(8, generator=generator, dtype=torch.float64), torch.zeros(8, dtype=torch.float64), 0.0)
    one, other = make_optimiser(SPECS[name], first), make_optimiser(SPECS[name], second)
    penalised = one.proximal(quadratic)
    for step in range(num_steps):
        _set_gradient(first, step)
        penalised()
    second.load_flat(first.values)
    other.load_state(one.state())
    assert all(torch.equal(tensor, one.state()[key]) for key, tensor in other.state().items())
    other_penalised = other.proximal(quadratic)
    for step in range(num_steps, num_steps + 12):
        for parameters, take_step in ((first, penalised), (second, other_penalised)):
            _set_gradient(parameters, step)
            take_step()
        assert torch.equal(first.values, second.values)


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_a_loaded_state_is_a_copy(name: str) -> None:
    parameters = _parameters()
    optimiser, other = make_optimiser(SPECS[name], parameters), make_optimiser(SPECS[name], _parameters())
    other.load_state(optimiser.state())
    _set_gradient(parameters, 0)
    optimiser.step()
    assert not any(bool(tensor.any()) for tensor in other.state().values())


@pytest.mark.parametrize("name", SPECS)
def test_the_state_of_another_optimiser_is_refused(name: str) -> None:
    optimiser = make_optimiser(SPECS[name], _parameters())
    with pytest.raises(StateFormatError, match="expected"):
        optimiser.load_state({"velocity": torch.zeros(3)})


@pytest.mark.parametrize("name", SPECS)
def test_the_proximal_step_is_the_plain_step_and_then_the_implicit_one(name: str) -> None:
    spec = SPECS[name]
    penalised, plain = _parameters(), _parameters()
    precision = torch.tensor([0.0, 0.0, 1e-3, 1.0, 3.0, 50.0, 1e5, 1e9], dtype=torch.float64)
    centre = torch.linspace(-1, 1, 8, dtype=torch.float64)
    optimiser, reference = make_optimiser(spec, penalised), make_optimiser(spec, plain)
    step = optimiser.proximal(Quadratic(precision, centre, 0.0))
    rate = torch.tensor(spec.learning_rate / (1.0 - spec.momentum), dtype=torch.float64)
    for index in range(1, 30):
        for parameters in (penalised, plain):
            _set_gradient(parameters, index)
        step()
        reference.step()
        if name == "adam" and refreshed_at(index) == index:
            rate = spec.learning_rate / ((reference.state()["exp_avg_sq"] / (1.0 - 0.999**index)).sqrt() + 1e-8)
        plain.load_flat((plain.values + rate * precision * centre) / (1.0 + rate * precision))
    torch.testing.assert_close(penalised.values, plain.values, rtol=1e-11, atol=1e-12)
    assert all(torch.equal(optimiser.state()[key], tensor) for key, tensor in reference.state().items())


def _rest(optimiser: Optimiser, parameters: FlatParameters, quadratic: Quadratic, num_steps: int) -> torch.Tensor:
    """Where steps on the data loss Σ ½ h (θ − 1)², h = 1..8, and proximal steps come to rest."""
    proximal = optimiser.proximal(quadratic)
    curvature = torch.arange(1, 9, dtype=torch.float64)
    for _ in range(num_steps):
        parameters.gradient.copy_(curvature * (parameters.values - 1.0))
        proximal()
    return curvature


@pytest.mark.parametrize("name", ["sgd", "momentum"])
def test_the_proximal_step_rests_at_the_minimiser_whatever_the_momentum(name: str) -> None:
    precision = torch.tensor([0.0, 0.1, 1.0, 3.0, 10.0, 100.0, 1e4, 1e8], dtype=torch.float64)
    quadratic = Quadratic(precision, torch.full((8,), -1.0, dtype=torch.float64), 0.0)
    parameters = _parameters()
    curvature = _rest(make_optimiser(SPECS[name], parameters), parameters, quadratic, 3000)
    expected = (curvature + precision * -1.0) / (curvature + precision)
    torch.testing.assert_close(parameters.values, expected, rtol=1e-10, atol=1e-10)


def test_the_minimiser_is_a_fixed_point_of_adam_with_the_proximal_step() -> None:
    """Adam's moments are at rest there: m̂ = g and v̂ = g², from the data gradient alone."""
    precision = torch.tensor([0.5, 0.1, 1.0, 3.0, 10.0, 100.0, 1e4, 1e8], dtype=torch.float64)
    centre = torch.full((8,), -1.0, dtype=torch.float64)
    curvature = torch.arange(1, 9, dtype=torch.float64)
    minimiser = (curvature + precision * centre) / (curvature + precision)
    parameters = _parameters()
    parameters.load_flat(minimiser)
    optimiser = make_optimiser(SPECS["adam"], parameters)
    proximal = optimiser.proximal(Quadratic(precision, centre, 0.0))
    for _ in range(50):
        parameters.gradient.copy_(curvature * (parameters.values - 1.0))
        proximal()
    torch.testing.assert_close(parameters.values, minimiser, rtol=1e-9, atol=1e-9)


def _penalty(precision: float) -> Quadratic:
    return Quadratic(torch.full((8,), precision, dtype=torch.float64), torch.full((8,), -1.0, dtype=torch.float64), 0.0)


def _run(parameters: FlatParameters, take_step: Callable[[], None], steps: range) -> None:
    for step in steps:
        _set_gradient(parameters, step)
        take_step()


@pytest.mark.parametrize("name", ALL)
def test_the_step_after_a_change_of_the_learning_rate_is_one_of_the_new_rate(name: str) -> None:
    parameters = _parameters()
    optimiser = make_optimiser(ALL[name], parameters)
    take_step = optimiser.proximal(_penalty(10.0))
    _run(parameters, take_step, range(18))  # the next one is between two refreshes
    before = parameters.values.clone()
    optimiser.learning_rate = 1e-9
    parameters.gradient.zero_()
    take_step()
    assert 0.0 < float((parameters.values - before).abs().max()) < 1e-6


@pytest.mark.parametrize("name", ALL)
def test_steps_with_two_penalties_in_turns_are_those_of_each_alone(name: str) -> None:
    """Whatever was kept for one penalty is not used for the other, whichever step was asked for first."""
    parameters, reference = _parameters(), _parameters()
    optimiser, other = make_optimiser(ALL[name], parameters), make_optimiser(ALL[name], reference)
    soft, hard = optimiser.proximal(_penalty(1e-3)), optimiser.proximal(_penalty(1e6))
    _run(parameters, soft, range(18))
    _run(reference, other.proximal(_penalty(1e-3)), range(18))
    other.load_state({key: tensor for key, tensor in other.state().items() if not key.startswith("proximal_weight")})
    for penalty, take_step, step in ((1e6, hard, 18), (1e-3, soft, 19)):
        _run(parameters, take_step, range(step, step + 1))
        _run(reference, other.proximal(_penalty(penalty)), range(step, step + 1))
        assert torch.equal(parameters.values, reference.values)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_weight_that_plain_steps_have_left_behind_is_made_anew(name: str) -> None:
    parameters, reference = _parameters(), _parameters()
    optimiser, other = make_optimiser(ALL[name], parameters), make_optimiser(ALL[name], reference)
    take_step = optimiser.proximal(_penalty(10.0))
    _run(parameters, take_step, range(3))
    reference.load_flat(parameters.values)
    other.load_state({key: tensor for key, tensor in optimiser.state().items() if not key.startswith("proximal_weight")})
    _run(parameters, optimiser.step, range(3, 100))
    _run(reference, other.step, range(3, 100))
    _run(parameters, take_step, range(100, 101))
    _run(reference, other.proximal(_penalty(10.0)), range(100, 101))
    assert torch.equal(parameters.values, reference.values)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_stored_weight_that_does_not_say_what_it_was_made_for_goes_on_at_its_optimisers_own_rate(name: str) -> None:
    first, second = _parameters(), _parameters()
    one, other = make_optimiser(ALL[name], first), make_optimiser(ALL[name], second)
    take_step = one.proximal(_penalty(10.0))
    _run(first, take_step, range(18))
    second.load_flat(first.values)
    other.load_state({key: tensor for key, tensor in one.state().items() if key != "proximal_weight_made_for"})
    _run(first, take_step, range(18, 30))
    _run(second, other.proximal(_penalty(10.0)), range(18, 30))
    assert torch.equal(first.values, second.values)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_the_state_between_two_refreshes_after_a_change_of_the_rate_goes_on_with_the_same_bits(name: str) -> None:
    first, second = _parameters(), _parameters()
    one, other = make_optimiser(ALL[name], first), make_optimiser(ALL[name], second)
    take_step = one.proximal(_penalty(10.0))
    _run(first, take_step, range(18))
    one.learning_rate = 0.003
    _run(first, take_step, range(18, 20))
    second.load_flat(first.values)
    other.load_state(one.state())
    other.learning_rate = 0.003
    _run(first, take_step, range(20, 30))
    _run(second, other.proximal(_penalty(10.0)), range(20, 30))
    assert torch.equal(first.values, second.values)
