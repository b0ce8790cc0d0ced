"""Specs read back from where they were stored: no rule of today is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from ewc_core.specs import JOB_SPEC, ReinforcementSpec, SupervisedSpec, SweepSpec
from ewc_core.specs.stored import job_spec_from_stored, lifted_job, sweep_spec_from_stored, task_spec_from_stored

EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples").glob("*.json"))
JOB = {"method": {"kind": "ewc", "ewc_lambda": 1.0}, "tasks": [{"dataset": "digits"}]}
SWEEP = {
    "job": {**JOB, "training": {"num_validation_examples": 10}},
    "search": {"method.ewc_lambda": {"low": 1, "high": 2}},
}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_what_was_stored_is_read_as_what_was_submitted(file):
    document = json.loads(file.read_text())
    is_sweep = "search" in document
    spec = SweepSpec.model_validate(document) if is_sweep else JOB_SPEC.validate_python(document)
    read = (sweep_spec_from_stored if is_sweep else job_spec_from_stored)(spec.model_dump(mode="json"))
    assert read == spec
    assert type(read) is type(spec)


def broken(document, **changes):
    stored = {**JOB_SPEC.validate_python(document).model_dump(mode="json"), **changes}
    with pytest.raises(ValidationError):
        JOB_SPEC.validate_python(stored)
    return stored


def test_bounds_unknown_fields_and_rules_over_several_fields_refuse_nothing_that_was_stored():
    task = {"kind": "split", "dataset": "digits", "classes": [3, 3, 99]}
    stored = broken(JOB, seed=-7, name="n" * 999, colour="red", controls=["naive", "naive"], tasks=[task])
    spec = job_spec_from_stored(stored)
    assert isinstance(spec, SupervisedSpec)
    assert (spec.seed, spec.methods, spec.tasks[0].classes) == (-7, ["ewc", "naive", "naive"], [3, 3, 99])
    assert task_spec_from_stored(task) == spec.tasks[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": {"kind": "ewc", "ewc_lambda": -1.0}},
        {"method": {"kind": "ewc", "ewc_lambda": 1.0, "colour": "red"}},
        {"training": {"learning_rate": 1e9}},
        {"network": {"kind": "mlp", "hidden_sizes": [10**9]}},
        {"tasks": [{"kind": "rotated", "dataset": "digits", "degrees": 999.0}]},
        {"tasks": [{"kind": "plain", "dataset": {"kind": "openml", "name": "no such name!", "version": 0}}]},
    ],
    ids=str,
)
def test_rules_of_every_part_refuse_nothing_that_was_stored(changes):
    read = job_spec_from_stored(broken(JOB, **changes)).model_dump(mode="json")
    [(name, value)] = changes.items()
    [part], [given] = (read[name], value) if name == "tasks" else ([read[name]], [value])
    known = {field: inner for field, inner in given.items() if field in part and field != "dataset"}
    assert part.items() >= known.items()


def test_a_game_schedule_longer_than_is_allowed_today_still_has_its_visits():
    document = {
        "kind": "reinforcement",
        "network": {"kind": "mlp"},
        "agent": {"preset": "small"},
        "method": {"kind": "naive"},
        "tasks": [{"kind": "gymnasium", "id": "CartPole-v1"}],
        "schedule": {"kind": "rounds", "num_rounds": 2, "num_steps": 5},
    }
    spec = job_spec_from_stored(broken(document, schedule={"kind": "rounds", "num_rounds": 20_000, "num_steps": 5}))
    assert isinstance(spec, ReinforcementSpec)
    assert len(spec.segments) == 20_000


def test_a_stored_sweep_is_read_whatever_its_rules_say():
    stored = SweepSpec.model_validate(SWEEP).model_dump(mode="json")
    stored["job"]["training"]["num_validation_examples"] = 0
    with pytest.raises(ValidationError):
        SweepSpec.model_validate(stored)
    assert sweep_spec_from_stored(stored).job.training.num_validation_examples == 0


def test_a_field_that_is_newer_than_the_document_has_its_default():
    stored = JOB_SPEC.validate_python(JOB).model_dump(mode="json")
    del stored["training"]["batch_size"], stored["heads"]
    assert job_spec_from_stored(stored) == JOB_SPEC.validate_python(JOB)


@pytest.mark.parametrize("kind", [{}, {"kind": "supervised"}])
def test_a_stored_job_without_a_version_is_of_version_1_and_a_new_one_of_the_newest(kind):
    old = job_spec_from_stored({**kind, **JOB})
    assert isinstance(old, SupervisedSpec)
    assert old.spec_version == 1
    new = SupervisedSpec.model_validate({**kind, **JOB})
    assert new.spec_version == 2
    assert job_spec_from_stored(new.model_dump(mode="json")) == new


def test_the_job_of_a_stored_sweep_is_lifted_too():
    assert sweep_spec_from_stored(SWEEP).job.spec_version == 1


def test_other_kinds_of_jobs_are_as_they_were_stored():
    stored = {"kind": "association", "rules": [{"kind": "gd"}]}
    assert lifted_job(stored) == stored
    assert job_spec_from_stored(stored).kind == "association"
