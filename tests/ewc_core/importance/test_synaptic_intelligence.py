"""The path integral of Synaptic Intelligence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.importance import PathIntegral

CURVATURE = torch.tensor([0.5, 1.0, 4.0, 2.0], dtype=torch.float64)
OPTIMUM = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.float64)
START = torch.tensor([3.0, 1.0, -1.0, 0.0], dtype=torch.float64)


def _loss(values: Tensor) -> float:
    return 0.5 * float((CURVATURE * (values - OPTIMUM).square()).sum())


def _descend(rate: float, num_steps: int) -> tuple[PathIntegral, Tensor]:
    """Gradient descent on ½ Σ h (θ − a)²."""
    values = START.clone()
    path = PathIntegral(values)
    for _ in range(num_steps):
        gradient = CURVATURE * (values - OPTIMUM)
        change = -rate * gradient
        values += change
        path.add(gradient, change)
    return path, values


def test_for_small_steps_the_integral_is_the_fall_of_the_loss() -> None:
    path, values = _descend(1e-4, 20_000)
    assert float(path.omega.sum()) == pytest.approx(_loss(START) - _loss(values), rel=1e-3)
    each = 0.5 * CURVATURE * ((START - OPTIMUM).square() - (values - OPTIMUM).square())
    torch.testing.assert_close(path.omega, each, rtol=1e-3, atol=1e-9)


def test_for_any_step_size_descent_to_the_optimum_has_a_closed_form() -> None:
    """Σ_t h² d_t² lr with d_t = d_0 (1 − lr h)^t is a geometric series: h d_0² / (2 − lr h)."""
    rate = 0.3
    path, _ = _descend(rate, 400)
    expected = CURVATURE * (START - OPTIMUM).square() / (2 - rate * CURVATURE)
    torch.testing.assert_close(path.omega, expected, rtol=1e-10, atol=0)


def test_without_damping_the_importance_of_a_quadratic_is_half_its_curvature() -> None:
    """So the precision 2Ω is the curvature itself, at strength 1."""
    path, values = _descend(1e-3, 40_000)
    moved = START != OPTIMUM
    importance = path.importance(values, damping=1e-12)
    torch.testing.assert_close(2 * importance[moved].double(), CURVATURE[moved], rtol=3e-3, atol=0)
    assert float(importance[3]) == 0.0


def test_damping_weakens_parameters_that_hardly_moved() -> None:
    path = PathIntegral(torch.zeros(2))
    path.add(torch.tensor([-1.0, -100.0]), torch.tensor([1.0, 0.01]))
    importance = path.importance(torch.tensor([1.0, 0.01]), damping=0.1)
    assert importance.tolist() == pytest.approx([1 / 1.1, 1 / 0.1001], rel=1e-6)


def test_parameters_that_raised_the_loss_are_not_important() -> None:
    path = PathIntegral(torch.zeros(2))
    path.add(torch.tensor([1.0, -1.0]), torch.tensor([2.0, 2.0]))
    assert path.omega.tolist() == [-2.0, 2.0]
    assert path.importance(torch.tensor([2.0, 2.0]), damping=1.0).tolist() == pytest.approx([0.0, 0.4])


def test_the_start_is_a_copy() -> None:
    values = torch.zeros(1)
    path = PathIntegral(values)
    values += 1.0
    path.add(torch.tensor([-1.0]), torch.tensor([1.0]))
    assert path.importance(values, damping=1.0).tolist() == [0.5]


def test_a_visit_goes_on_bit_for_bit_from_its_state() -> None:
    generator = torch.Generator().manual_seed(0)
    steps = [(torch.randn(5, generator=generator), torch.randn(5, generator=generator)) for _ in range(6)]
    whole = PathIntegral(torch.ones(5))
    for gradient, change in steps:
        whole.add(gradient, change)
    first = PathIntegral(torch.ones(5))
    for gradient, change in steps[:3]:
        first.add(gradient, change)
    second = PathIntegral(torch.full((5,), 7.0))
    second.load_state(first.state())
    for gradient, change in steps[3:]:
        second.add(gradient, change)
    end = torch.full((5,), 2.0)
    assert torch.equal(second.importance(end, damping=0.1), whole.importance(end, damping=0.1))
    first.state()["omega"].fill_(9.0)
    assert torch.equal(second.omega, whole.omega)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"start": torch.ones(2)},
        {"start": torch.ones(2), "omega": torch.ones(3)},
        {"start": torch.ones(2), "omega": torch.ones(2).double()},
    ],
)
def test_another_state_is_refused(state: dict[str, Tensor]) -> None:
    with pytest.raises(StateFormatError, match="path integral state holds"):
        PathIntegral(torch.ones(2)).load_state(state)
