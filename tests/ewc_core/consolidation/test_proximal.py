"""The implicit step on the penalty."""

from __future__ import annotations

import pytest
import torch

from ewc_core.consolidation.proximal import proximal_step, proximal_weight, refreshed_at, write_adaptive_weight


def _start() -> torch.Tensor:
    return torch.ones(1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("precision", "explicit", "proximal"),
    [(1.0, 5.15e-3, 8.52e-3), (19.0, 5.15e-3, 7.6e-24), (21.0, 117.4, 2.7e-25), (1e6, 1.0e250, 1.0e-250)],
)
def test_fifty_steps_give_the_published_numbers(precision: float, explicit: float, proximal: float) -> None:
    values, rate = _start(), 0.1
    weight = proximal_weight(torch.tensor([precision], dtype=torch.float64), rate)
    outer = _start()
    for _ in range(50):
        proximal_step(values, torch.zeros_like(values), weight)
        outer -= rate * precision * outer
    assert float(outer.abs()) == pytest.approx(explicit, rel=0.02)
    assert float(values) == pytest.approx(proximal, rel=0.02)


def test_it_equals_its_equation() -> None:
    generator = torch.Generator().manual_seed(0)
    values, centre = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    precision = torch.exp(5 * torch.randn(50, generator=generator, dtype=torch.float64))
    expected = (values + 0.01 * precision * centre) / (1 + 0.01 * precision)
    proximal_step(values, centre, proximal_weight(precision, 0.01))
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=1e-14)


def test_without_precision_not_a_bit_moves_and_with_endless_precision_the_centre_is_reached() -> None:
    values = torch.tensor([0.1, 0.1, 1e-30], dtype=torch.float32)
    centre = torch.tensor([7.0, 0.3, 0.3], dtype=torch.float32)
    proximal_step(values, centre, proximal_weight(torch.tensor([0.0, 1e30, 1e30]), 0.1))
    assert values.tolist() == torch.tensor([0.1, 0.3, 0.3]).tolist()


def test_gradient_and_proximal_steps_meet_the_minimiser_of_explicit_descent() -> None:
    """Data loss ½ h (θ − 1)²: every method rests where h (θ − 1) + P (θ − m) = 0."""
    curvature, precision, centre, rate = 2.0, 3.0, -1.0, 0.05
    expected = (curvature * 1.0 + precision * centre) / (curvature + precision)
    proximal, explicit = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    weight = proximal_weight(torch.tensor([precision], dtype=torch.float64), rate)
    for _ in range(500):
        proximal -= rate * curvature * (proximal - 1.0)
        proximal_step(proximal, torch.tensor([centre], dtype=torch.float64), weight)
        explicit -= rate * (curvature * (explicit - 1.0) + precision * (explicit - centre))
    assert float(proximal) == pytest.approx(expected, rel=1e-12)
    assert float(explicit) == pytest.approx(expected, rel=1e-12)


def test_it_is_stable_far_beyond_the_explicit_limit() -> None:
    values, centre = _start(), torch.full((1,), 0.5, dtype=torch.float64)
    weight = proximal_weight(torch.tensor([1e7], dtype=torch.float64), 0.1)
    for _ in range(100):
        values -= 0.1 * 2.0 * (values - 3.0)
        proximal_step(values, centre, weight)
    assert float(values) == pytest.approx(0.5, abs=1e-5)


def test_adams_weight_uses_the_step_size_of_each_coordinate() -> None:
    generator = torch.Generator().manual_seed(1)
    precision = torch.exp(4 * torch.randn(40, generator=generator, dtype=torch.float64))
    precision[:5] = 0.0
    second = torch.rand(40, generator=generator, dtype=torch.float64)
    second[3:10] = 0.0
    rate = 0.01 / ((second / 0.3).sqrt() + 1e-8)
    weight = torch.empty_like(precision)
    write_adaptive_weight(weight, precision, second, learning_rate=0.01, eps=1e-8, bias_correction=0.3)
    torch.testing.assert_close(weight, rate * precision / (1 + rate * precision), rtol=1e-12, atol=0)
    assert not weight[:5].any()


def test_the_largest_precisions_do_not_overflow() -> None:
    weight, precision = torch.empty(2), torch.full((2,), 3e38)
    write_adaptive_weight(weight, precision, torch.tensor([0.0, 1.0]), learning_rate=10.0, eps=1e-8, bias_correction=1e-3)
    assert weight.tolist() == [1.0, 1.0]


def test_the_weight_is_computed_in_every_early_step_and_then_in_every_eighth() -> None:
    assert [step for step in range(1, 41) if refreshed_at(step) == step] == [*range(1, 17), 24, 32, 40]
