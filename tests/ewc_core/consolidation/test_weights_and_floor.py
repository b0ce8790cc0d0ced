"""Constraints re-weighted, masked, forgotten, and held by a prior precision besides."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from ewc_core.consolidation import Constraint, Quadratic, merge, merge_latest
from ewc_core.errors import ParameterMismatch, SpecError
from tests.ewc_core.consolidation.constraints import LAYOUT, random_constraint

CONSTRAINTS = [random_constraint(index, ewc_lambda=10.0**index) for index in range(4)]


def _theta() -> Tensor:
    return torch.randn(LAYOUT.num_parameters, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _flat(named: dict[str, Tensor]) -> Tensor:
    return LAYOUT.join(named, dtype=torch.float64)


def _same(first: Quadratic | None, second: Quadratic | None) -> bool:
    assert first is not None
    assert second is not None
    same = torch.equal(first.precision, second.precision) and torch.equal(first.centre, second.centre)
    return same and first.constant == second.constant


def _sum_of_penalties(weights: dict[int, float], floor: float, latest: Constraint, values: Tensor) -> Tensor:
    total = 0.5 * floor * (values - _flat(latest.anchor)).square().sum()
    for constraint in CONSTRAINTS:
        squares = (values - _flat(constraint.anchor)).square()
        scale = 0.5 * weights.get(constraint.task_index, 1.0) * constraint.ewc_lambda
        total = total + scale * (_flat(constraint.fisher) * squares).sum()
    return total


@pytest.mark.parametrize("floor", [0.0, 0.3])
def test_weighted_penalties_and_the_floor_are_merged_exactly(floor: float) -> None:
    weights, latest = {0: 2.5, 2: 0.0, 3: 1e-9}, CONSTRAINTS[1]
    values = _theta().requires_grad_()
    expected = _sum_of_penalties(weights, floor, latest, values)
    (gradient,) = torch.autograd.grad(expected, values)
    quadratic = merge(CONSTRAINTS, LAYOUT, weights=weights, precision_floor=floor, latest_task=1, dtype=torch.float64)
    assert quadratic is not None
    assert quadratic.value(values.detach()) == pytest.approx(float(expected.detach()), rel=1e-13)
    torch.testing.assert_close(quadratic.gradient(values.detach()), gradient, rtol=1e-12, atol=1e-12)


def test_weights_of_one_change_no_bit() -> None:
    assert _same(merge(CONSTRAINTS, LAYOUT, weights={0: 1.0, 3: 1.0}), merge(CONSTRAINTS, LAYOUT))


def test_weight_zero_is_as_if_the_task_had_never_been_consolidated() -> None:
    others = [constraint for constraint in CONSTRAINTS if constraint.task_index != 2]
    assert _same(merge(CONSTRAINTS, LAYOUT, weights={2: 0.0}), merge(others, LAYOUT))


def test_masking_the_dominant_task_keeps_the_digits_of_the_others() -> None:
    dominant = random_constraint(9, ewc_lambda=1e20)
    masked = merge([*CONSTRAINTS, dominant], LAYOUT, weights={9: 0.0}, dtype=torch.float64)
    assert _same(masked, merge(CONSTRAINTS, LAYOUT, dtype=torch.float64))


def test_a_weight_for_a_task_without_a_constraint_says_nothing() -> None:
    assert _same(merge(CONSTRAINTS, LAYOUT, weights={7: 5.0}), merge(CONSTRAINTS, LAYOUT))


def test_the_floor_is_added_once_however_many_tasks_there_are() -> None:
    for number in (1, 4):
        bare = merge(CONSTRAINTS[:number], LAYOUT, dtype=torch.float64)
        held = merge(CONSTRAINTS[:number], LAYOUT, precision_floor=0.5, latest_task=0, dtype=torch.float64)
        assert bare is not None
        assert held is not None
        torch.testing.assert_close(held.precision, bare.precision + 0.5, rtol=1e-15, atol=0)


def test_where_the_fisher_is_zero_the_floor_ties_to_the_latest_anchor() -> None:
    held = merge(CONSTRAINTS, LAYOUT, precision_floor=0.5, latest_task=2, dtype=torch.float64)
    assert held is not None
    assert float(held.precision[0]) == 0.5
    assert float(held.centre[0]) == float(_flat(CONSTRAINTS[2].anchor)[0])


def test_a_floor_alone_holds_nothing() -> None:
    assert merge([], LAYOUT, precision_floor=1.0, latest_task=0) is None
    weights = dict.fromkeys(range(4), 0.0)
    assert merge(CONSTRAINTS, LAYOUT, weights=weights, precision_floor=1.0, latest_task=0) is None
    assert merge_latest(CONSTRAINTS, LAYOUT, latest_task=0, weights=weights, precision_floor=1.0) is None


def test_the_floor_keeps_the_anchor_of_a_task_whose_own_weight_is_zero() -> None:
    held = merge(CONSTRAINTS, LAYOUT, weights={3: 0.0}, precision_floor=0.5, latest_task=3, dtype=torch.float64)
    assert held is not None
    assert float(held.centre[0]) == float(_flat(CONSTRAINTS[3].anchor)[0])


def test_the_latest_form_sums_the_precisions_at_one_anchor_without_tension() -> None:
    weights = {0: 3.0, 1: 0.0}
    quadratic = merge_latest(CONSTRAINTS, LAYOUT, latest_task=2, weights=weights, precision_floor=0.1, dtype=torch.float64)
    assert quadratic is not None
    fishers = [_flat(constraint.fisher) for constraint in CONSTRAINTS]
    torch.testing.assert_close(quadratic.precision, 0.1 + 3.0 * fishers[0] + 100.0 * fishers[2] + 1000.0 * fishers[3])
    assert torch.equal(quadratic.centre, _flat(CONSTRAINTS[2].anchor))
    assert quadratic.constant == 0.0
    assert quadratic.value(_flat(CONSTRAINTS[2].anchor)) == 0.0


def test_both_forms_agree_on_the_precision_and_on_one_constraint_altogether() -> None:
    separate, latest = merge(CONSTRAINTS, LAYOUT), merge_latest(CONSTRAINTS, LAYOUT, latest_task=3)
    assert separate is not None
    assert latest is not None
    assert torch.equal(separate.precision, latest.precision)
    alone = merge_latest(CONSTRAINTS[:1], LAYOUT, latest_task=0, dtype=torch.float64)
    only = merge(CONSTRAINTS[:1], LAYOUT, dtype=torch.float64)
    assert alone is not None
    assert only is not None
    torch.testing.assert_close(alone.centre, only.centre, rtol=1e-15, atol=0)


def test_without_precision_the_latest_form_has_centre_zero() -> None:
    quadratic = merge_latest(CONSTRAINTS, LAYOUT, latest_task=3)
    assert quadratic is not None
    assert float(quadratic.precision[0]) == 0.0
    assert float(quadratic.centre[0]) == 0.0


def test_the_order_given_changes_no_bit_of_the_latest_form() -> None:
    shuffled = [CONSTRAINTS[index] for index in (2, 0, 3, 1)]
    assert _same(merge_latest(shuffled, LAYOUT, latest_task=1), merge_latest(CONSTRAINTS, LAYOUT, latest_task=1))


def test_huszars_form_is_exact_on_quadratic_losses_and_old_anchors_count_the_first_task_twice() -> None:
    """Three 1-d losses ½ h_k (θ − a_k)²: with θ*_k the optimum so far, only the latest form stays at the joint optimum."""
    curvatures, optima = [1.0, 2.0, 4.0], [0.0, 3.0, -2.0]
    layout = dataclasses.replace(LAYOUT, names=("w",), shapes=((1,),))
    for form, exact in (("latest", True), ("separate", False)):
        constraints: list[Constraint] = []
        theta = 0.0
        for index, (curvature, optimum) in enumerate(zip(curvatures, optima, strict=True)):
            quadratic = None
            if form == "latest" and constraints:
                quadratic = merge_latest(constraints, layout, latest_task=index - 1, dtype=torch.float64)
            elif constraints:
                quadratic = merge(constraints, layout, dtype=torch.float64)
            precision, centre = (0.0, 0.0) if quadratic is None else (float(quadratic.precision), float(quadratic.centre))
            theta = (curvature * optimum + precision * centre) / (curvature + precision)
            tensors = {"w": torch.tensor([curvature])}, {"w": torch.tensor([theta], dtype=torch.float64)}
            constraints.append(Constraint(index, *tensors, 1.0, CONSTRAINTS[0].info))
        joint = sum(h * a for h, a in zip(curvatures, optima, strict=True)) / sum(curvatures)
        assert (theta == pytest.approx(joint, rel=1e-12)) is exact


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_not_a_finite_non_negative_number_is_refused(weight: float) -> None:
    with pytest.raises(SpecError, match="weight of task 1") as caught:
        merge(CONSTRAINTS, LAYOUT, weights={1: weight})
    assert caught.value.field == "weights.1"


@pytest.mark.parametrize("floor", [-0.1, float("nan"), float("inf")])
def test_a_floor_that_is_not_a_finite_non_negative_number_is_refused(floor: float) -> None:
    for refused in (
        lambda: merge(CONSTRAINTS, LAYOUT, precision_floor=floor, latest_task=0),
        lambda: merge_latest(CONSTRAINTS, LAYOUT, precision_floor=floor, latest_task=0),
    ):
        with pytest.raises(SpecError, match="precision_floor is"):
            refused()


def test_an_anchor_to_tie_to_must_be_named_and_known() -> None:
    with pytest.raises(SpecError, match=r"latest_task is None, expected .* one of \[0, 1, 2, 3\]"):
        merge(CONSTRAINTS, LAYOUT, precision_floor=1.0)
    with pytest.raises(SpecError, match="latest_task is 8"):
        merge_latest(CONSTRAINTS, LAYOUT, latest_task=8)


def test_a_constraint_of_another_network_is_refused_by_the_latest_form_too() -> None:
    wrong = dataclasses.replace(CONSTRAINTS[0], fisher={"w": torch.ones(3, 4)})
    with pytest.raises(ParameterMismatch, match=r"missing \['b'\]"):
        merge_latest([wrong], LAYOUT, latest_task=0)
