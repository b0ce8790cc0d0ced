"""Specs of before they had versions mean what they meant."""

from __future__ import annotations

from typing import Any

import pytest

from ewc_core.specs import JOB_SPEC, SupervisedSpec, SweepSpec
from ewc_core.specs.stored import lifted_job, lifted_sweep

_JOB: dict[str, Any] = {"method": {"kind": "naive"}, "tasks": [{"dataset": "digits"}], "training": {"num_validation_examples": 9}}


@pytest.mark.parametrize("kind", [{}, {"kind": "supervised"}])
def test_a_stored_job_without_a_version_is_of_version_1_and_a_new_one_of_the_newest(kind: dict[str, str]) -> None:
    spec = JOB_SPEC.validate_python(lifted_job({**kind, **_JOB}))
    assert isinstance(spec, SupervisedSpec)
    assert spec.spec_version == 1
    new = SupervisedSpec.model_validate({**kind, **_JOB})
    assert new.spec_version == 2
    assert lifted_job(new.model_dump(mode="json")) == new.model_dump(mode="json")


def test_the_job_of_a_stored_sweep_is_lifted_too() -> None:
    stored = {"job": _JOB, "search": {"training.learning_rate": {"kind": "choices", "values": [0.1]}}, "sampler": "grid"}
    assert SweepSpec.model_validate(lifted_sweep(stored)).job.spec_version == 1


def test_other_kinds_of_jobs_are_as_they_were_stored() -> None:
    stored = {"kind": "association", "rules": [{"kind": "gd"}]}
    assert lifted_job(stored) == stored
    assert JOB_SPEC.validate_python(lifted_job(stored)).kind == "association"
