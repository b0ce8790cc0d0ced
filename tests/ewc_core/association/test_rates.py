from __future__ import annotations

import numpy as np
import pytest

from ewc_core.association.rates import LinearRule, learning_rates
from ewc_core.specs import EwcRule, GradientDescentRule, OnlineEwcRule


def _rates(rule: LinearRule, num_patterns: int = 40) -> np.ndarray:
    return learning_rates(rule, num_synapses=20, num_patterns=num_patterns)


def test_gradient_descent_and_ewc_take_the_same_first_step() -> None:
    assert _rates(EwcRule())[0] == _rates(GradientDescentRule())[0] == 20 / 21


def test_at_capacity_the_rate_of_ewc_is_one_half() -> None:
    assert _rates(EwcRule())[19] == 0.5


def test_a_given_rate_is_taken_at_every_step() -> None:
    assert _rates(GradientDescentRule(rate=0.3)).tolist() == [0.3] * 40


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999999])
def test_online_ewc_is_its_recursion(decay: float) -> None:
    metric, expected = 0.0, []
    for _ in range(40):
        metric = decay * metric + 1 / 20
        expected.append(1.0 / (1.0 + metric))
    assert _rates(OnlineEwcRule(fisher_decay=decay)) == pytest.approx(expected, rel=1e-9)


def test_the_step_is_the_minimiser_of_loss_and_quadratic_penalty() -> None:
    """½(x·W − y)² + ½ N‖W − W₀‖² with ‖x‖ = 1 has (x xᵀ + N) W = y x + N W₀ at its minimum."""
    random = np.random.default_rng(0)
    x, start, label, metric = random.choice([-1.0, 1.0], 20) / np.sqrt(20), random.normal(size=20), 1.0, 7 / 20
    minimum = np.linalg.solve(np.outer(x, x) + metric * np.eye(20), label * x + metric * start)
    assert start - _rates(EwcRule())[6] * (x @ start - label) * x == pytest.approx(minimum, rel=1e-12)
