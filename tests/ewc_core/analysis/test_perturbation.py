"""Noise of three shapes and the damage that the Fisher predicts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ewc_core.analysis.perturbation import NoiseKind, draw_noise, noise_deviations, predicted_increase


def _heavy_tailed() -> Tensor:
    return torch.exp(4 * torch.randn(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64))


def _deviations(kind: NoiseKind, fisher: Tensor, *, ridge: float = 1e-3, null_quantile: float = 0.5) -> Tensor:
    return noise_deviations(kind, fisher, sigma=0.1, ridge=ridge, null_quantile=null_quantile)


@pytest.mark.parametrize("kind", NoiseKind)
def test_every_kind_has_the_same_mean_variance(kind: NoiseKind) -> None:
    deviations = _deviations(kind, _heavy_tailed())
    assert float(deviations.square().mean()) == pytest.approx(0.01, rel=1e-12)


def test_uniform_noise_is_predicted_to_do_half_sigma_squared_times_the_trace() -> None:
    fisher = _heavy_tailed()
    deviations = _deviations(NoiseKind.UNIFORM, fisher)
    assert torch.equal(deviations, torch.full_like(fisher, 0.1))
    assert predicted_increase(fisher, deviations) == pytest.approx(0.5 * 0.01 * float(fisher.sum()), rel=1e-12)


def test_inverse_noise_has_variance_in_proportion_to_one_over_fisher_and_ridge() -> None:
    fisher = _heavy_tailed()
    products = _deviations(NoiseKind.INVERSE, fisher).square() * (fisher + 1e-3)
    torch.testing.assert_close(products, products[:1].expand_as(products), rtol=1e-10, atol=0)
    scale = 0.01 * len(fisher) / float((1 / (fisher + 1e-3)).sum())
    expected = 0.5 * scale * float((fisher / (fisher + 1e-3)).sum())
    assert predicted_increase(fisher, _deviations(NoiseKind.INVERSE, fisher)) == pytest.approx(expected, rel=1e-10)


def test_inverse_noise_is_never_predicted_to_do_more_harm_than_uniform() -> None:
    fisher = _heavy_tailed()
    for ridge in (1e-6, 1e-2, 1.0, 1e4):
        inverse = predicted_increase(fisher, _deviations(NoiseKind.INVERSE, fisher, ridge=ridge))
        assert inverse <= predicted_increase(fisher, _deviations(NoiseKind.UNIFORM, fisher))
    flat = torch.ones(10)
    assert torch.equal(_deviations(NoiseKind.INVERSE, flat), _deviations(NoiseKind.UNIFORM, flat))


def test_null_noise_lives_on_the_smallest_entries_alone() -> None:
    fisher = torch.tensor([5.0, 0.0, 3.0, 1.0])
    deviations = _deviations(NoiseKind.NULL, fisher)
    assert (deviations > 0).tolist() == [False, True, False, True]
    assert float(deviations[1]) == pytest.approx(0.1 * 2**0.5)
    assert predicted_increase(fisher, deviations) == pytest.approx(0.5 * 1.0 * 0.02)


def test_entries_that_tie_are_all_in_the_null_space() -> None:
    fisher = torch.tensor([0.0, 0.0, 0.0, 1.0])
    deviations = _deviations(NoiseKind.NULL, fisher, null_quantile=0.25)
    assert (deviations > 0).tolist() == [True, True, True, False]
    assert predicted_increase(fisher, deviations) == 0.0


def test_a_draw_has_the_deviations_and_equal_generators_share_their_normals() -> None:
    deviations = torch.tensor([0.0, 1.0, 10.0]).repeat(20_000).double()
    noise = draw_noise(deviations, torch.Generator().manual_seed(0))
    spread = noise.view(-1, 3).std(0)
    torch.testing.assert_close(spread, torch.tensor([0.0, 1.0, 10.0]).double(), rtol=0.02, atol=0)
    assert torch.equal(draw_noise(2 * deviations, torch.Generator().manual_seed(0)), 2 * noise)


@pytest.mark.parametrize("kind", NoiseKind)
def test_on_a_quadratic_loss_the_mean_damage_is_the_prediction(kind: NoiseKind) -> None:
    generator = torch.Generator().manual_seed(1)
    fisher = torch.exp(torch.randn(50, generator=generator, dtype=torch.float64))
    deviations = _deviations(kind, fisher)
    damages = torch.tensor([0.5 * float((fisher * draw_noise(deviations, generator).square()).sum()) for _ in range(4000)])
    error = float(damages.std()) / len(damages) ** 0.5
    assert abs(float(damages.mean()) - predicted_increase(fisher, deviations)) < 3 * error
