"""Values that do not fit together are all told at once, each with the field that is to blame."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ewc_core.specs import JOB_SPEC, SweepSpec
from ewc_core.specs.base import MOST_TOLD, Misfits, refuse, require_all

DIGITS: dict[str, Any] = {"method": {"kind": "ewc", "ewc_lambda": 1.0}, "tasks": [{"dataset": "digits"}]}
CATCH: dict[str, Any] = {
    "kind": "reinforcement",
    "network": {"kind": "mlp"},
    "agent": {"preset": "small"},
    "method": {"kind": "naive"},
    "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0"}],
    "schedule": {"kind": "rounds", "num_steps": 9},
}
SWEEP: dict[str, Any] = {
    "job": {**DIGITS, "training": {"num_validation_examples": 9}},
    "search": {"method.ewc_lambda": {"low": 1, "high": 2}},
}
AT_ONCE = {
    "training": (DIGITS, {"training": {"momentum": 0.5, "evaluate_on": "validation"}}, ["momentum", "evaluate_on"]),
    "dropout": (
        DIGITS,
        {"method": {"kind": "dropout"}, "network": {"kind": "plugin", "name": "any"}, "controls": ["naive", "naive"]},
        ["controls", "method", "method"],
    ),
    "classes": (
        DIGITS,
        {"tasks": [{"kind": "split", "dataset": "digits", "classes": [11, 11]}]},
        ["classes", "classes"],
    ),
    "agent": (
        CATCH,
        {"agent": {"rms_decay": None, "rms_eps": None, "replay_capacity": 9, "num_envs": 5}},
        ["rms_decay", "rms_eps", "min_history", "num_envs"],
    ),
    "agents": (
        CATCH,
        {
            "controls": ["oracle", "l2", "l2"],
            "schedule": {"kind": "explicit", "num_steps": 9, "visits": [{"task": 3}, {"task": 0}, {"task": 1}]},
        },
        ["controls", "controls", "controls", "schedule.visits.0.task", "schedule.visits.2.task"],
    ),
    "sweep": (
        SWEEP,
        {"job": {**DIGITS, "stream": "open"}, "sampler": "grid"},
        ["job.training.num_validation_examples", "job.stream", "search.method.ewc_lambda"],
    ),
    "searched fields": (
        SWEEP,
        {
            "search": {
                "method.ewc_lambda": {"low": -1, "high": 2},
                "training.num_epochs": {"kind": "int", "low": 0, "high": 2},
                "training.none": {"low": 1, "high": 2},
            }
        },
        ["search.method.ewc_lambda", "search.training.num_epochs", "search.training.none"],
    ),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_no_misfit_hides_another(name: str) -> None:
    body, wrong, fields = AT_ONCE[name]
    adapter: TypeAdapter[Any] = TypeAdapter(SweepSpec) if body is SWEEP else JOB_SPEC
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python({**body, **wrong})
    (error,) = refused.value.errors()
    misfits = error["ctx"]["error"]
    assert isinstance(misfits, Misfits)
    assert [message.partition(" ")[0].rstrip(":") for message in misfits.messages] == fields


def test_a_combination_of_good_values_that_is_none_is_told_as_a_whole() -> None:
    job = {**SWEEP["job"], "training": {"num_validation_examples": 9, "optimiser": "sgd"}}
    values = {"training.momentum": [0.5, 0.0], "training.optimiser": ["sgd", "adam"]}
    search = {name: {"kind": "choices", "values": some} for name, some in values.items()}
    with pytest.raises(ValidationError, match=r"search: training\.momentum 0\.5, training\.optimiser 'adam' makes no valid job"):
        SweepSpec.model_validate({**SWEEP, "job": job, "search": search})


def test_the_same_is_told_once_and_of_very_many_the_first() -> None:
    with pytest.raises(ValueError, match=r"^a: no$") as one:
        refuse("a: no", None, "a: no")
    assert not isinstance(one.value, Misfits)
    with pytest.raises(Misfits) as many:
        require_all(lambda: refuse(*(f"a.{index}: no" for index in range(MOST_TOLD + 2))))
    assert len(many.value.messages) == MOST_TOLD + 2
    assert many.value.told == (*many.value.messages[:MOST_TOLD], "and 2 more values do not fit")
    refuse(None)
