"""Merging constraints into one quadratic."""

from __future__ import annotations

import dataclasses
from importlib import import_module

import pytest
import torch
from torch import Tensor

from ewc_core.consolidation import Constraint, Quadratic, merge, merge_latest
from ewc_core.errors import NonFiniteError, ParameterMismatch
from tests.ewc_core.consolidation.constraints import LAYOUT, random_constraint, single


def _merged(constraints: list[Constraint]) -> Quadratic:
    quadratic = merge(constraints, LAYOUT, dtype=torch.float64)
    assert quadratic is not None
    return quadratic


def _sum_of_penalties(constraints: list[Constraint], values: Tensor) -> Tensor:
    """Σ_k ½ λ_k Σ_i F_k,i (θ_i − θ*_k,i)², term by term."""
    total = torch.zeros((), dtype=torch.float64)
    named = LAYOUT.split(values)
    for constraint in constraints:
        for name, value in named.items():
            distance = value - constraint.anchor[name]
            total = total + 0.5 * constraint.ewc_lambda * (constraint.fisher[name] * distance.square()).sum()
    return total


def _theta() -> Tensor:
    return torch.randn(LAYOUT.num_parameters, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("num_tasks", [1, 2, 7])
def test_value_and_gradient_are_those_of_the_sum(num_tasks: int) -> None:
    constraints = [random_constraint(index, ewc_lambda=10.0**index) for index in range(num_tasks)]
    values = _theta().requires_grad_()
    expected = _sum_of_penalties(constraints, values)
    (gradient,) = torch.autograd.grad(expected, values)
    quadratic = _merged(constraints)
    assert quadratic.value(values.detach()) == pytest.approx(float(expected.detach()), rel=1e-13)
    torch.testing.assert_close(quadratic.gradient(values.detach()), gradient, rtol=1e-12, atol=1e-12)


def test_the_constant_is_the_smallest_value_and_is_taken_at_the_centre() -> None:
    quadratic = _merged([random_constraint(index) for index in range(3)])
    assert quadratic.constant > 0
    assert quadratic.value(quadratic.centre) == quadratic.constant
    assert float(_sum_of_penalties([random_constraint(index) for index in range(3)], quadratic.centre)) == pytest.approx(
        quadratic.constant, rel=1e-12
    )
    assert quadratic.value(_theta()) > quadratic.constant
    assert not quadratic.gradient(quadratic.centre).any()


def test_the_penalty_of_one_task_is_zero_at_its_anchor() -> None:
    constraint = random_constraint(0, dtype=torch.float32)
    quadratic = merge([constraint], LAYOUT)
    assert quadratic is not None
    anchor = torch.cat([constraint.anchor[name].reshape(-1) for name in LAYOUT.names])
    assert quadratic.value(anchor) == pytest.approx(0.0, abs=1e-12)
    kept = quadratic.precision > 0
    torch.testing.assert_close(quadratic.centre[kept], anchor[kept], rtol=1e-7, atol=0)


def test_where_no_task_has_precision_there_is_no_pull() -> None:
    quadratic = _merged([random_constraint(index) for index in range(3)])
    assert float(quadratic.precision[0]) == 0.0
    assert float(quadratic.centre[0]) == 0.0
    assert float(quadratic.gradient(_theta())[0]) == 0.0


def test_the_order_given_does_not_change_a_bit() -> None:
    constraints = [random_constraint(index) for index in range(4)]
    first, second = _merged(constraints), _merged([constraints[index] for index in (2, 0, 3, 1)])
    assert torch.equal(first.precision, second.precision)
    assert torch.equal(first.centre, second.centre)
    assert first.constant == second.constant


def test_leaving_a_dominant_task_out_keeps_the_others_digits() -> None:
    dominant = random_constraint(1, ewc_lambda=1e16)
    others = [random_constraint(0), random_constraint(2)]
    active = [constraint for constraint in [*others, dominant] if constraint.task_index != 1]
    values = _theta().requires_grad_()
    (gradient,) = torch.autograd.grad(_sum_of_penalties(others, values), values)
    torch.testing.assert_close(_merged(active).gradient(values.detach()), gradient, rtol=1e-12, atol=1e-12)


def test_nothing_to_hold_gives_no_penalty() -> None:
    assert merge([], LAYOUT) is None
    assert merge([random_constraint(0, ewc_lambda=0.0)], LAYOUT) is None


def test_precisions_too_small_to_matter_count_as_zero() -> None:
    constraint, layout = single(0, torch.tensor([1e-38, 1.0]), torch.tensor([1.0, 1.0]), 1.0)
    quadratic = merge([constraint], layout)
    assert quadratic is not None
    assert quadratic.precision.tolist() == [0.0, 1.0]


def test_a_precision_beyond_the_dtype_is_refused() -> None:
    constraint, layout = single(0, torch.tensor([1e30]), torch.tensor([1.0]), 1e12)
    with pytest.raises(NonFiniteError, match=r"reaches 1e\+42"):
        merge([constraint], layout)


def test_a_constraint_of_another_network_is_refused() -> None:
    wrong = dataclasses.replace(random_constraint(0), fisher={"w": torch.ones(3, 4)})
    with pytest.raises(ParameterMismatch, match=r"missing \['b'\]"):
        merge([wrong], LAYOUT)


@pytest.mark.parametrize("merging", ["separate", "floor", "latest"])
def test_precision_and_centre_have_the_same_bits_whatever_the_size_of_a_block(
    merging: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints = [random_constraint(index, dtype=torch.float32) for index in range(4)]

    def merged() -> Quadratic:
        if merging == "latest":
            quadratic = merge_latest(constraints, LAYOUT, latest_task=2)
        else:
            quadratic = merge(constraints, LAYOUT, precision_floor=0.5 if merging == "floor" else 0.0, latest_task=2)
        assert quadratic is not None
        return quadratic

    whole = merged()
    for size in (1, 4, 5, 13):
        monkeypatch.setattr(import_module("ewc_core.consolidation.merge"), "BLOCK", size)
        in_blocks = merged()
        assert torch.equal(in_blocks.precision, whole.precision)
        assert torch.equal(in_blocks.centre, whole.centre)
        assert in_blocks.constant == pytest.approx(whole.constant, rel=1e-12)


def test_constraints_of_a_stored_file_are_read_once_and_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("ewc_core.consolidation.merge"), "BLOCK", 4)
    kept = [random_constraint(index, dtype=torch.float32) for index in range(3)]
    reads: list[tuple[int, int, int]] = []

    def opened(constraint: Constraint) -> Constraint:
        data = constraint.to_bytes()

        def read(begin: int, end: int) -> list[bytes]:
            reads.append((constraint.task_index, begin, end))
            return [data[begin:end]]

        return Constraint.open(read, len(data))

    stored = [opened(constraint) for constraint in kept]
    reads.clear()
    quadratic, expected = merge(stored, LAYOUT), merge(kept, LAYOUT)
    assert quadratic is not None
    assert expected is not None
    assert torch.equal(quadratic.precision, expected.precision)
    assert torch.equal(quadratic.centre, expected.centre)
    assert sum(end - begin for _, begin, end in reads) == 3 * 2 * 4 * LAYOUT.num_parameters
    assert max(end - begin for _, begin, end in reads) == 16
    for task in range(3):
        begins = [begin for index, begin, _ in reads if index == task]
        assert sorted(begins) == sorted(set(begins))
