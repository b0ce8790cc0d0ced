"""A number in a spec is a number: what looks like one is refused, and stays readable where it was stored before."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from ewc_core.specs import JOB_SPEC, SweepSpec
from ewc_core.specs.stored import job_spec_from_stored, sweep_spec_from_stored

JOB = {
    "method": {"kind": "online_ewc", "ewc_lambda": 1.0, "fisher_decay": 0.9, "normalise": False},
    "network": {"kind": "mlp", "hidden_sizes": [10]},
    "training": {"learning_rate": 0.1, "num_validation_examples": 10},
    "tasks": [{"kind": "split", "dataset": "digits", "classes": [0, 1]}],
}


def _changed(place: tuple, value: object, document: object = JOB) -> object:
    if not place:
        return value
    copy = list(document) if isinstance(document, list) else dict(document)
    present = copy[place[0]] if isinstance(copy, list) else copy.get(place[0])
    copy[place[0]] = _changed(place[1:], value, present)
    return copy


PLACES = [
    ("seed",),
    ("method", "ewc_lambda"),
    ("training", "learning_rate"),
    ("training", "evaluate_every"),
    ("network", "hidden_sizes", 0),
    ("tasks", 0, "classes", 1),
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [True, False, "1", "0.5", "many"])
def test_a_boolean_or_a_text_is_no_number(place, value):
    with pytest.raises(ValidationError) as refused:
        JOB_SPEC.validate_python(_changed(place, value))
    [error] = refused.value.errors()
    assert error["loc"][-1] == place[-1]
    assert error["msg"].startswith("expected a number, not ")
    assert error["msg"].endswith("without quotation marks") is (value in ("1", "0.5"))


@pytest.mark.parametrize("value", [1, 0, "yes", "true", 1.0])
def test_only_true_and_false_are_booleans(value):
    with pytest.raises(ValidationError, match="normalise"):
        JOB_SPEC.validate_python(_changed(("method", "normalise"), value))


def test_a_whole_number_may_be_written_with_a_point_and_a_real_one_without():
    spec = JOB_SPEC.validate_python(_changed(("seed",), 7.0) | _changed(("method", "ewc_lambda"), 3) | {"seed": 7.0})
    assert (spec.seed, spec.method.ewc_lambda) == (7, 3.0)
    assert type(spec.seed) is int


def test_choices_of_a_sweep_are_what_the_field_takes():
    sweep = {"job": JOB, "search": {"method.normalise": {"kind": "choices", "values": [True, False]}}, "num_trials": 2}
    assert SweepSpec.model_validate(sweep).search["method.normalise"].values == [True, False]
    numbers = {"method.ewc_lambda": {"kind": "choices", "values": [True, 2.0]}}
    with pytest.raises(ValidationError, match="expected a number, not true"):
        SweepSpec.model_validate({**sweep, "search": numbers})


@pytest.mark.parametrize("spec_version", [1, 2, None])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [True, "1"])
def test_a_stored_spec_with_such_a_value_stays_readable(spec_version, place, value):
    stored = _changed(place, value) | ({} if spec_version is None else {"spec_version": spec_version})
    read = job_spec_from_stored(stored)
    assert read == job_spec_from_stored(_changed(place, 1) | ({} if spec_version is None else {"spec_version": spec_version}))
    sweep = {"job": stored, "search": {"method.ewc_lambda": {"low": "1", "high": "2", "log": "yes"}}, "num_trials": "3"}
    assert sweep_spec_from_stored(sweep).num_trials == 3
    assert sweep_spec_from_stored(sweep).job == read


def test_the_schema_says_what_it_said():
    assert TypeAdapter(SweepSpec).json_schema()["properties"]["num_trials"]["type"] == "integer"
