"""Overlap of two Fisher diagonals."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ewc_core.analysis.overlap import INDEPENDENT_SQUARES, overlap, shuffled_overlap
from ewc_core.errors import ParameterMismatch
from ewc_core.layers import ALL_PARAMETERS, by_layer, with_whole

GROUPS = with_whole(by_layer(["a.weight", "a.bias", "b.weight"]))


def _fisher(seed: int, *, power: float = 2.0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"a.weight": (40, 50), "a.bias": (40,), "b.weight": (10, 40)}
    return {name: torch.randn(shape, generator=generator).abs() ** power for name, shape in shapes.items()}


def test_the_three_forms_of_the_definition_agree() -> None:
    first, second = _fisher(0)["b.weight"].double().flatten(), _fisher(1)["b.weight"].double().flatten()
    one, other = first / first.sum(), second / second.sum()
    trace_form = 1 - 0.5 * float((one + other - 2 * (one * other).sqrt()).sum())
    norm_form = 1 - 0.5 * float((one.sqrt() - other.sqrt()).square().sum())
    matrix_form = float(torch.linalg.eigvals(one.diag() @ other.diag()).real.sqrt().sum())
    result = overlap(_fisher(0), _fisher(1), GROUPS)["b"]
    assert result == pytest.approx(trace_form, abs=1e-14)
    assert result == pytest.approx(norm_form, abs=1e-14)
    assert result == pytest.approx(matrix_form, abs=1e-12)


def test_a_fisher_overlaps_wholly_with_its_multiples() -> None:
    first = _fisher(0)
    scaled = {name: 1e-5 * tensor for name, tensor in first.items()}
    assert list(overlap(first, scaled, GROUPS).values()) == pytest.approx([1.0, 1.0, 1.0], abs=1e-6)


def test_disjoint_fishers_do_not_overlap() -> None:
    first, second = {"w": torch.tensor([1.0, 2.0, 0.0, 0.0])}, {"w": torch.tensor([0.0, 0.0, 3.0, 0.1])}
    assert overlap(first, second, {"w": ["w"]}) == {"w": 0.0}


def test_it_is_symmetric_and_a_known_number_by_hand() -> None:
    first, second = {"w": torch.tensor([1.0, 3.0])}, {"w": torch.tensor([2.0, 2.0])}
    expected = math.sqrt(0.25 * 0.5) + math.sqrt(0.75 * 0.5)
    assert overlap(first, second, {"w": ["w"]})["w"] == pytest.approx(expected, rel=1e-12)
    assert overlap(first, second, {"w": ["w"]}) == overlap(second, first, {"w": ["w"]})


def test_each_layer_is_normalised_by_itself() -> None:
    first = _fisher(0)
    rescaled = {**first, "b.weight": 1000.0 * first["b.weight"]}
    result = overlap(first, rescaled, GROUPS)
    assert result["a"] == pytest.approx(1.0, abs=1e-6)
    assert result["b"] == pytest.approx(1.0, abs=1e-6)
    whole = result[ALL_PARAMETERS]
    assert whole is not None
    assert whole < 0.9


def test_chance_of_independent_squares_is_two_over_pi() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = ({"w": torch.randn(200_000, generator=generator).square()} for _ in range(2))
    assert overlap(first, second, {"w": ["w"]})["w"] == pytest.approx(INDEPENDENT_SQUARES, abs=2e-3)
    shuffled = shuffled_overlap(first, first, {"w": ["w"]}, generator=generator, groups={"w": ["w"]}, num_shuffles=2)
    assert shuffled["w"] == pytest.approx(INDEPENDENT_SQUARES, abs=2e-3)


def test_shuffled_chance_is_lower_for_heavier_tails_and_repeats_with_its_generator() -> None:
    def chance(power: float) -> dict[str, float | None]:
        layers = by_layer(_fisher(0))
        generator = torch.Generator().manual_seed(3)
        return shuffled_overlap(_fisher(0, power=power), _fisher(0, power=power), layers, generator=generator, groups=GROUPS)

    light, heavy = chance(2.0)["a"], chance(8.0)["a"]
    assert light is not None
    assert heavy is not None
    assert heavy < 0.5 * light
    assert chance(8.0) == chance(8.0)


def test_entries_are_shuffled_within_their_layer_only() -> None:
    """Layers that are constant do not notice; a shuffle across layers would mix their values."""
    first = {"a.weight": torch.full((5, 3), 4.0), "a.bias": torch.full((5,), 4.0), "b.weight": torch.full((2, 5), 1.0)}
    generator = torch.Generator().manual_seed(0)
    result = shuffled_overlap(first, first, by_layer(first), generator=generator, groups=GROUPS)
    assert list(result.values()) == pytest.approx([1.0, 1.0, 1.0], abs=1e-12)


def test_where_a_fisher_is_zero_there_is_no_overlap_to_speak_of() -> None:
    first = _fisher(0)
    silent = {**first, "b.weight": torch.zeros(10, 40)}
    assert overlap(first, silent, GROUPS)["b"] is None
    generator = torch.Generator().manual_seed(0)
    assert shuffled_overlap(silent, first, by_layer(first), generator=generator, groups=GROUPS)["b"] is None


def test_fishers_of_different_networks_are_refused() -> None:
    first = _fisher(0)
    with pytest.raises(ParameterMismatch, match=r"'b.weight' have shapes \(10, 40\) and \(400,\)"):
        overlap(first, {**first, "b.weight": first["b.weight"].reshape(-1)}, GROUPS)
    with pytest.raises(ParameterMismatch, match=r"'a.bias' have shapes None and \(40,\)"):
        overlap({name: tensor for name, tensor in first.items() if name != "a.bias"}, first, GROUPS)
