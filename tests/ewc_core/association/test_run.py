from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from ewc_core.association import AssociationComputation, schedule
from ewc_core.association.schedule import CHECK_TIMES, record_times, repeat_batches
from ewc_core.errors import StateFormatError
from ewc_core.resume import ResumePoint
from ewc_core.specs import AssociationSpec, CascadeRule, EwcRule, GradientDescentRule, OnlineEwcRule
from ewc_core.training.units import UnitRun

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> AssociationSpec:
    """Five repeats in three batches of at most two: four units a rule."""
    monkeypatch.setattr(schedule, "BATCH_UPDATES", 12_000)
    return AssociationSpec(
        kind="association",
        seed=4,
        num_synapses=50,
        num_patterns=120,
        num_repeats=5,
        rules=[GradientDescentRule(), EwcRule(), OnlineEwcRule(fisher_decay=0.98), CascadeRule(num_levels=3)],
    )


def _begin(spec: AssociationSpec, point: ResumePoint | None = None) -> UnitRun:
    return UnitRun.at(AssociationComputation(spec), point)


def _run_to(run: UnitRun, step: int) -> UnitRun:
    for done in run.work():
        if done == step:
            break
    return run


def test_a_run_killed_after_any_unit_ends_with_the_same_bits(spec: AssociationSpec) -> None:
    whole = _begin(spec)
    assert whole.num_steps == 4 * (1 + 3)
    points = [whole.capture(), *(whole.capture() for _ in whole.work())]
    assert [point.step for point in points] == list(range(17))
    expected = whole.findings()
    for point in points:
        again = _run_to(_begin(spec, ResumePoint.from_bytes(point.to_bytes())), whole.num_steps)
        assert again.findings() == expected, point.step


def test_what_was_captured_does_not_change_as_the_run_goes_on(spec: AssociationSpec) -> None:
    run = _run_to(_begin(spec), 6)
    captured = run.capture().tensors
    copies = {name: tensor.clone() for name, tensor in captured.items()}
    _run_to(run, 7)
    assert all(torch.equal(captured[name], copies[name]) for name in copies)
    assert not torch.equal(run.capture().tensors["sums.norm"], copies["sums.norm"])


def test_the_seed_decides_the_simulation_and_nothing_else(spec: AssociationSpec) -> None:
    first, other = (_run_to(_begin(spec.model_copy(update={"seed": seed})), 16).findings() for seed in (4, 5))
    curves = [(a.method, a.name) for a in first.curves]
    assert [(b.method, b.name) for b in other.curves] == curves
    pairs = list(zip(first.curves, other.curves, strict=True))
    same = {curve for curve in set(curves) if all(a == b for a, b in pairs if (a.method, a.name) == curve)}
    assert same == {(method, name) for method, name in curves if name.endswith(("_theory", "_approximation"))}
    norms = {"gd", "ewc", "online_ewc_0.98"}
    simulated = {(rule, name) for rule in (*norms, "cascade_3") for name in ("first_pattern_snr", "fraction_retained")}
    assert set(curves) - same == simulated | {(rule, "weight_norm") for rule in norms}


def test_state_that_does_not_fit_is_refused(spec: AssociationSpec) -> None:
    tensors = _run_to(_begin(spec), 6).capture().tensors
    assert set(tensors) >= {"rules.0.weight_norm", "sums.overlap"}
    bad: list[tuple[int, dict[str, Tensor], str]] = [
        (17, tensors, "after unit 17; there are 16"),
        (4, tensors, "expected"),
        (6, {}, "expected"),
        (6, tensors | {"sums.norm": torch.zeros(3, dtype=torch.float64)}, "sums.norm is"),
        (6, tensors | {"sums.norm": tensors["sums.norm"].float()}, "sums.norm is"),
    ]
    for step, given, message in bad:
        with pytest.raises(StateFormatError, match=message):
            _begin(spec, ResumePoint(0, step, given))


def test_there_is_no_result_before_the_end(spec: AssociationSpec) -> None:
    with pytest.raises(RuntimeError, match="10 of 16 units"):
        _run_to(_begin(spec), 6).findings()


def test_the_result_says_for_each_rule_what_theory_and_simulation_found(spec: AssociationSpec) -> None:
    body = _run_to(_begin(spec), 16).findings().body
    assert json.loads(json.dumps(body, allow_nan=False)) == body
    assert list(body["rules"]) == ["gd", "ewc", "online_ewc_0.98", "cascade_3"]
    ewc = body["rules"]["ewc"]
    assert set(ewc["landmarks"]) == {"first_lost_at", "blackout_at"}
    assert 0.7 < ewc["fraction_retained_at_capacity"] < 0.9
    (check,) = ewc["weight_norm_checks"]
    assert check["t"] == 100
    assert check["num_standard_errors"] == abs(check["simulated"] - check["theory"]) / check["standard_error"]
    assert check["simulated"] == pytest.approx(check["theory"], rel=0.15)
    assert "weight_norm_checks" not in body["rules"]["cascade_3"]
    assert set(body["ewc_falls_below_at"]) == {"gd", "online_ewc_0.98", "cascade_3"}
    assert body["num_repeats"] == 5
    assert body["unit"]["num_repeats"] == 2


def test_curves_of_every_rule_stand_at_the_same_times(spec: AssociationSpec) -> None:
    curves = _run_to(_begin(spec), 16).findings().curves
    times = record_times(num_synapses=50, num_patterns=120)
    names = {method: {p.name for p in curves if p.method == method} for method in ("gd", "online_ewc_0.98", "cascade_3")}
    both = {"first_pattern_snr", "fraction_retained"}
    pairs = both | {f"{name}_theory" for name in both}
    norms = {"weight_norm", "weight_norm_theory"}
    assert names["cascade_3"] == pairs
    assert names["online_ewc_0.98"] == pairs | norms
    assert names["gd"] == pairs | norms | {"first_pattern_snr_approximation"}
    for name in names["gd"]:
        assert [p.step for p in curves if (p.method, p.name) == ("gd", name)] == times


def test_recorded_times_include_checks_and_capacity() -> None:
    times = record_times(num_synapses=1500, num_patterns=6000)
    assert {*CHECK_TIMES, 1500, 2, 6000} <= set(times)
    assert 50 <= len(times) <= 70
    assert times == sorted(set(times))
    assert record_times(num_synapses=10, num_patterns=2) == [2]


@pytest.mark.parametrize(("n", "num_patterns"), [(10, 2), (1000, 6000), (20_000, 2), (20_000, 50_000), (10, 50_000)])
def test_batches_hold_every_repeat_once_in_bounded_memory(n: int, num_patterns: int) -> None:
    batches = repeat_batches(num_synapses=n, num_patterns=num_patterns, num_repeats=10_000)
    assert [repeat for batch in batches for repeat in batch] == list(range(10_000))
    patterns = len(batches[0]) * num_patterns * -(-n // 8)
    assert len(batches[0]) == 1 or patterns < 2**24
    assert len(batches[0]) * n * 4 * 60 <= 2**26


def test_a_cascade_deeper_than_its_random_numbers_is_refused() -> None:
    with pytest.raises(ValidationError, match="24"):
        CascadeRule(num_levels=25)


@pytest.mark.parametrize("name", ["association.json", "association_cascade.json"])
def test_the_examples_are_association_jobs_that_include_ewc(name: str) -> None:
    spec = AssociationSpec.model_validate_json((EXAMPLES / name).read_bytes())
    assert EwcRule() in spec.rules
    assert spec.num_repeats == 400
