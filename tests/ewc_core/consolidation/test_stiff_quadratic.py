"""The proximal step beside the real optimisers, on a loss whose precisions are far beyond the explicit limit.

Data loss ½ Σ h_i (θ_i − a_i)², penalty ½ Σ P_i (θ_i − m_i)², minimiser (h a + P m) / (h + P); P spans 0 to lr·P = 1e6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from ewc_core.consolidation import Quadratic
from ewc_core.consolidation.proximal import proximal_step, proximal_weight, refreshed_at, write_adaptive_weight

LEARNING_RATE, MOMENTUM, ADAM_BETA2, EPS = 1e-2, 0.9, 0.999, 1e-8
STIFF = 1e6 / LEARNING_RATE


@dataclass
class Stiff:
    """One problem over eight coordinates, in float64."""

    curvature: Tensor
    optimum: Tensor
    quadratic: Quadratic

    @property
    def minimiser(self) -> Tensor:
        precision, centre = self.quadratic.precision, self.quadratic.centre
        return (self.curvature * self.optimum + precision * centre) / (self.curvature + precision)


def _problem() -> Stiff:
    precision = torch.tensor([0.0, 1e-3, 0.1, 1.0, 10.0, 1e3, STIFF / 10, STIFF], dtype=torch.float64)
    centre = torch.linspace(-1.0, 1.0, 8, dtype=torch.float64)
    curvature = torch.tensor([1.0, 1.0, 2.0, 1.0, 3.0, 1.0, 2.0, 1.0], dtype=torch.float64)
    optimum = torch.linspace(2.0, -2.0, 8, dtype=torch.float64)
    return Stiff(curvature, optimum, Quadratic(precision, centre * (precision > 0), 0.0))


def _weights(name: str, optimiser: torch.optim.Optimizer, theta: Tensor, quadratic: Quadratic) -> Callable[[int], Tensor]:
    """The proximal weight of step t (from 1), as the optimiser of that name needs it."""
    if name in ("sgd", "momentum"):
        fixed = proximal_weight(quadratic.precision, LEARNING_RATE / (1.0 - (MOMENTUM if name == "momentum" else 0.0)))
        return lambda step: fixed
    weight = torch.empty_like(theta)

    def compute(step: int) -> Tensor:
        if refreshed_at(step) == step:
            moment = optimiser.state[theta]["square_avg" if name == "rmsprop" else "exp_avg_sq"]
            correction = 1.0 if name == "rmsprop" else 1.0 - ADAM_BETA2**step
            write_adaptive_weight(
                weight, quadratic.precision, moment, learning_rate=LEARNING_RATE, eps=EPS, bias_correction=correction
            )
        return weight

    return compute


def _optimiser(name: str, theta: Tensor) -> torch.optim.Optimizer:
    if name == "adam":
        return torch.optim.Adam([theta], lr=LEARNING_RATE, betas=(0.9, ADAM_BETA2), eps=EPS)
    if name == "rmsprop":
        return torch.optim.RMSprop([theta], lr=LEARNING_RATE, eps=EPS)
    return torch.optim.SGD([theta], lr=LEARNING_RATE, momentum=MOMENTUM if name == "momentum" else 0.0)


def _run(name: str, problem: Stiff, start: Tensor, num_steps: int) -> tuple[Tensor, float]:
    """Where `num_steps` lead, and the farthest that any coordinate ever was from 0."""
    theta = nn.Parameter(start.clone())
    optimiser = _optimiser(name, theta)
    weights = _weights(name, optimiser, theta, problem.quadratic)
    farthest = 0.0
    for step in range(1, num_steps + 1):
        theta.grad = problem.curvature * (theta.detach() - problem.optimum)
        optimiser.step()
        proximal_step(theta.data, problem.quadratic.centre, weights(step))
        farthest = max(farthest, float(theta.detach().abs().max()))
    return theta.detach(), farthest


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop"])
def test_every_optimiser_reaches_the_minimiser_at_lr_p_of_a_million(name: str) -> None:
    problem = _problem()
    values, farthest = _run(name, problem, torch.full((8,), 3.0, dtype=torch.float64), num_steps=1600)
    # The adaptive data steps circle the optimum where P is small: RMSProp's stay about lr long, Adam's shrink slowly.
    tolerance = {"rmsprop": LEARNING_RATE, "adam": 1e-3}.get(name, 1e-6)
    torch.testing.assert_close(values, problem.minimiser, rtol=0, atol=tolerance)
    torch.testing.assert_close(values[-2:], problem.minimiser[-2:], rtol=0, atol=1e-6)
    assert farthest < 10.0


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop"])
def test_the_minimiser_is_a_fixed_point_of_every_optimiser(name: str) -> None:
    """Started at rest: the moments hold the constant data gradient, and no coordinate moves."""
    problem, num_steps = _problem(), 2400
    theta = nn.Parameter(problem.minimiser.clone())
    optimiser = _optimiser(name, theta)
    theta.grad = problem.curvature * (problem.minimiser - problem.optimum)
    for _ in range(num_steps):
        theta.data.copy_(problem.minimiser)
        optimiser.step()
    proximal_step(theta.data, problem.quadratic.centre, _weights(name, optimiser, theta, problem.quadratic)(num_steps))
    torch.testing.assert_close(theta.detach(), problem.minimiser, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop"])
def test_the_explicit_penalty_fails_where_the_proximal_one_rests(name: str) -> None:
    """The explicit step of the same size, on the stiffest coordinate alone."""
    problem = _problem()
    theta = nn.Parameter(torch.full((8,), 3.0, dtype=torch.float64))
    optimiser = _optimiser(name, theta)
    for _ in range(60):
        theta.grad = problem.curvature * (theta.detach() - problem.optimum)
        theta.grad += problem.quadratic.precision * (theta.detach() - problem.quadratic.centre)
        optimiser.step()
    explicit = float((theta.detach() - problem.minimiser)[-1].abs())
    proximal = float((_run(name, problem, torch.full((8,), 3.0, dtype=torch.float64), 60)[0] - problem.minimiser)[-1].abs())
    assert proximal < 1e-4
    assert not explicit < 100 * proximal


@pytest.mark.parametrize("bias_correction", [None, 1.0])
def test_rmsprops_weight_needs_no_correction(bias_correction: float | None) -> None:
    precision, second = torch.tensor([0.0, 2.0, 1e8]), torch.tensor([0.25, 0.25, 4.0])
    weight = torch.empty(3)
    given = {} if bias_correction is None else {"bias_correction": bias_correction}
    write_adaptive_weight(weight, precision, second, learning_rate=0.1, eps=1e-8, **given)
    rate = 0.1 / (second.double().sqrt() + 1e-8)
    torch.testing.assert_close(weight, (rate * precision / (1 + rate * precision)).float())
