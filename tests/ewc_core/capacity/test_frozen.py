"""The share of a network that the precision has frozen."""

from __future__ import annotations

import pytest
import torch

from ewc_core.capacity import Capacity, capacity, capacity_of_precision, capacity_warning, frozen_share
from ewc_core.consolidation import Constraint
from ewc_core.fisher import FisherInfo
from ewc_core.params import ParameterLayout

INFO = FisherInfo("exact", "gaussian", 1, seed=None)


def _constraint(index: int, fisher: dict[str, torch.Tensor], ewc_lambda: float = 1.0) -> Constraint:
    return Constraint(index, fisher, {name: torch.zeros_like(tensor) for name, tensor in fisher.items()}, ewc_lambda, INFO)


@pytest.mark.parametrize(("num_patterns", "share"), [(0, 0.0), (10, 1 / 11), (100, 0.5), (300, 0.75)])
def test_random_patterns_freeze_what_the_exact_learning_rate_of_ewc_loses(num_patterns: int, share: float) -> None:
    """n = 100 synapses, patterns of ±1/√n: the next one is corrected by n/(n + t) of its error, which is solved for here."""
    size = 100
    generator = torch.Generator().manual_seed(0)
    patterns = (2.0 * torch.randint(2, (num_patterns + 1, size), generator=generator) - 1.0).double() / size**0.5
    constraints = [_constraint(index, {"readout.weight": x.square()}) for index, x in enumerate(patterns[:-1])]
    result = capacity(constraints, ParameterLayout(("readout.weight",), ((size,),)))
    assert result.overall == pytest.approx(share, abs=1e-12)
    assert result.layers == {"readout": result.overall}
    pattern, precision = patterns[-1], patterns[:-1].square().sum(0)
    hessian = torch.outer(pattern, pattern) + precision.diag() + 1e-12 * torch.eye(size)
    assert float(pattern @ torch.linalg.solve(hessian, pattern)) == pytest.approx(1 - share, rel=1e-9)


def test_tasks_of_rank_r_use_up_n_directions_after_n_over_r_tasks() -> None:
    size, rank, num_tasks = 60, 6, 10
    directions = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    fisher = directions[:, :rank] @ directions[:, :rank].T
    curvature = float((fisher @ fisher).trace() / fisher.trace())
    assert curvature == pytest.approx(1.0)
    precision = torch.full((size,), num_tasks * float(fisher.trace()) / size)
    assert capacity_of_precision({"w": precision}, {"w": curvature}).overall == pytest.approx(0.5)


def test_without_a_measured_curvature_the_shares_are_lower_bounds() -> None:
    layout = ParameterLayout(("w",), ((8,),))
    constraints = [_constraint(index, {"w": torch.rand(8, generator=torch.Generator().manual_seed(index))}) for index in range(3)]
    bound = capacity(constraints, layout).overall
    traces = [float(constraint.fisher["w"].sum()) for constraint in constraints]
    for rank in (1.5, 4.0, 8.0):
        assert capacity(constraints, layout, curvature={"w": sum(traces) / 3 / rank}).overall > bound
    assert capacity(constraints, layout, curvature={"w": sum(traces) / 3}).overall == pytest.approx(bound)


def test_the_strength_of_a_constraint_freezes_and_does_not_pull() -> None:
    layout, ones = ParameterLayout(("w",), ((10,),)), torch.ones(10)
    assert capacity([_constraint(0, {"w": ones}, 1.0)], layout).overall == pytest.approx(1 / 11)
    assert capacity([_constraint(0, {"w": ones}, 90.0)], layout).overall == pytest.approx(0.9)
    assert capacity([], layout) == Capacity({"w": 0.0}, 0.0)


def test_each_coordinate_counts_by_its_own_precision_and_each_layer_by_its_size() -> None:
    precision = {"a.weight": torch.tensor([[0.0, 1.0, 3.0]]), "a.bias": torch.tensor([1e30]), "b.weight": torch.zeros(1, 12)}
    result = capacity_of_precision(precision, {"a": 1.0, "b": 5.0})
    assert result.layers == {"a": pytest.approx((0.0 + 0.5 + 0.75 + 1.0) / 4), "b": 0.0}
    assert result.overall == pytest.approx(2.25 / 16)


def test_more_precision_freezes_more_and_more_pull_less() -> None:
    precision = torch.tensor([0.1, 1.0])
    assert bool((frozen_share(2 * precision, 1.0) > frozen_share(precision, 1.0)).all())
    assert bool((frozen_share(precision, 2.0) < frozen_share(precision, 1.0)).all())


def test_without_curvature_any_precision_holds_and_none_does_not() -> None:
    assert frozen_share(torch.tensor([0.0, 1e-9]), 0.0).tolist() == [0.0, 1.0]


def test_a_nearly_used_up_network_or_layer_is_warned_about() -> None:
    assert capacity_warning(Capacity({"a": 0.9, "b": 0.0}, 0.9)) is None
    layer = capacity_warning(Capacity({"a": 0.95, "b": 0.1}, 0.4))
    assert layer is not None
    assert "'a' (95%)" in layer
    assert "'b'" not in layer
    network = capacity_warning(Capacity({"a": 0.95, "b": 0.93}, 0.94))
    assert network is not None
    assert "nearly used up: 94%" in network
