"""The penalty of diagonal constraints, in place and block by block."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from ewc_core.consolidation import Quadratic
from ewc_core.consolidation.interface import AdaptiveSizes
from ewc_core.consolidation.kept_weight import KeptWeight
from ewc_core.consolidation.proximal import proximal_weight, strengths, write_adaptive_weight


def _quadratic() -> Quadratic:
    return Quadratic(torch.tensor([0.0, 2.0, 4.0]), torch.tensor([0.0, 1.0, -1.0]), constant=0.25)


def test_value_carries_the_half_and_the_constant() -> None:
    assert _quadratic().value(torch.tensor([9.0, 2.0, -0.5])) == 0.5 * (2 * 1 + 4 * 0.25) + 0.25


def test_gradient_is_precision_times_distance_and_replaces_what_was_there() -> None:
    quadratic, values = _quadratic(), torch.tensor([9.0, 2.0, -0.5])
    gradient = torch.full((3,), torch.nan)
    quadratic.write_gradient(gradient, values)
    assert gradient.tolist() == [0.0, 2.0, 2.0]
    assert torch.equal(gradient, quadratic.gradient(values))


def test_blocks_change_no_bit_of_a_weight_and_a_value_by_rounding_only(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    precision, centre, values, moment = torch.rand(4, 1000, generator=generator)
    quadratic, gradient = Quadratic(precision, centre, 0.5), precision * (values - centre)

    def adaptive() -> torch.Tensor:
        weight = torch.empty(1000)
        write_adaptive_weight(weight, precision, moment, learning_rate=0.01, eps=1e-8, bias_correction=0.3)
        return weight

    value, weight, rate = quadratic.value(values), adaptive(), proximal_weight(precision, 0.1)
    monkeypatch.setattr(import_module("ewc_core.blocks"), "BLOCK", 96)
    monkeypatch.setattr("ewc_core.consolidation.proximal.IN_CACHE", 96)
    assert quadratic.value(values) == pytest.approx(value, rel=1e-6)
    assert quadratic.gradient_norm(values) == pytest.approx(float(gradient.norm()), rel=1e-6)
    assert torch.equal(adaptive(), weight)
    kept = strengths(precision, learning_rate=0.01, eps=1e-8)
    from_kept = torch.empty(1000)
    write_adaptive_weight(from_kept, precision, moment, learning_rate=0.01, eps=1e-8, bias_correction=0.3, kept=kept)
    assert torch.equal(from_kept, weight)
    assert torch.equal(proximal_weight(precision, 0.1), rate)


def test_a_large_network_has_the_same_adaptive_step_and_keeps_no_weight_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    precision, centre, values, moment = torch.rand(4, 1000, generator=torch.Generator().manual_seed(0))
    precision[:9], moment[5:15], precision[20] = 0.0, 0.0, 3e38
    sizes, large, before = AdaptiveSizes(1, 0.01, moment, 1e-8, bias_correction=0.3), values.clone(), values.clone()
    quadratic, kept, of_the_large = Quadratic(precision, centre, 0.5), KeptWeight(), KeptWeight()
    quadratic.adaptive_step(kept)(values, sizes)
    monkeypatch.setattr("ewc_core.consolidation.quadratic.KEEPS_WEIGHT", 999)
    monkeypatch.setattr("ewc_core.consolidation.proximal.IN_CACHE", 96)
    of_the_large.load_state(kept.state(), num_steps=1, learning_rate=0.01)
    quadratic.adaptive_step(of_the_large)(large, sizes)
    torch.testing.assert_close(large, values, rtol=1e-6, atol=1e-7)
    assert torch.equal(large[:9], before[:9])
    assert large[20] == centre[20]
    assert kept.state().keys() == {"proximal_weight", "proximal_weight_made_for"}
    assert of_the_large.state() == {}
