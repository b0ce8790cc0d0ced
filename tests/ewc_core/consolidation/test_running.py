"""The running Fisher of online EWC."""

from __future__ import annotations

import pytest
import torch

from ewc_core.consolidation import decayed_sum
from ewc_core.errors import NonFiniteError, ParameterMismatch, SpecError

FIRST = {"w": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([3.0])}
SECOND = {"w": torch.tensor([[0.0, 40.0]]), "b": torch.tensor([20.0])}


def test_the_first_fisher_starts_the_sum_and_is_copied() -> None:
    running = decayed_sum(None, FIRST, fisher_decay=0.5, normalise=False)
    assert running["w"].tolist() == [[1.0, 2.0]]
    running["w"].zero_()
    assert FIRST["w"].tolist() == [[1.0, 2.0]]


def test_the_old_sum_decays_once_and_the_new_fisher_is_added_whole() -> None:
    running = decayed_sum(FIRST, SECOND, fisher_decay=0.25, normalise=False)
    assert running["w"].tolist() == [[0.25, 40.5]]
    assert running["b"].tolist() == [20.75]
    assert running["w"].dtype == torch.float32


def test_a_tasks_share_fades_by_the_power_of_the_decay() -> None:
    nothing = {name: torch.zeros_like(tensor) for name, tensor in FIRST.items()}
    running = decayed_sum(None, FIRST, fisher_decay=0.9, normalise=False)
    for _ in range(5):
        running = decayed_sum(running, nothing, fisher_decay=0.9, normalise=False)
    torch.testing.assert_close(running["b"], 3.0 * torch.tensor([0.9**5]))


def test_a_normalised_fisher_has_mean_one_over_all_parameters_whatever_its_scale() -> None:
    once = decayed_sum(None, SECOND, fisher_decay=1.0, normalise=True)
    scaled = decayed_sum(None, {name: 1e-6 * tensor for name, tensor in SECOND.items()}, fisher_decay=1.0, normalise=True)
    assert once["w"].tolist() == [[0.0, 2.0]]
    assert once["b"].tolist() == [1.0]
    torch.testing.assert_close(scaled["w"], once["w"])
    torch.testing.assert_close(scaled["b"], once["b"])


def test_only_the_new_fisher_is_normalised() -> None:
    running = decayed_sum(FIRST, SECOND, fisher_decay=1.0, normalise=True)
    assert running["w"].tolist() == [[1.0, 4.0]]
    assert running["b"].tolist() == [4.0]


def test_a_zero_fisher_is_left_alone() -> None:
    zero = {"w": torch.zeros(1, 2), "b": torch.zeros(1)}
    assert decayed_sum(None, zero, fisher_decay=1.0, normalise=True)["w"].tolist() == [[0.0, 0.0]]


def test_sums_are_made_in_float64() -> None:
    big, small = {"w": torch.tensor([2.0**24])}, {"w": torch.tensor([1.0])}
    assert decayed_sum(big, small, fisher_decay=0.5, normalise=False)["w"].tolist() == [2.0**23 + 1.0]
    third = decayed_sum({"w": torch.tensor([0.1])}, {"w": torch.tensor([0.2])}, fisher_decay=0.3, normalise=False)["w"]
    exact = 0.3 * torch.tensor([0.1]).double() + torch.tensor([0.2]).double()
    assert torch.equal(third, exact.float())


def test_what_cannot_be_summed_is_refused() -> None:
    with pytest.raises(ParameterMismatch, match=r"missing \['b'\]"):
        decayed_sum({"w": FIRST["w"]}, SECOND, fisher_decay=1.0, normalise=False)
    with pytest.raises(ParameterMismatch, match="'w' has shape"):
        decayed_sum({**FIRST, "w": torch.zeros(3)}, SECOND, fisher_decay=1.0, normalise=False)
    with pytest.raises(SpecError, match=r"fisher_decay is 1\.5"):
        decayed_sum(FIRST, SECOND, fisher_decay=1.5, normalise=False)
    with pytest.raises(NonFiniteError, match="'b'"):
        decayed_sum(None, {**FIRST, "b": torch.tensor([torch.nan])}, fisher_decay=1.0, normalise=True)
