"""A sweep is refused as a whole, by field, when any of its trials could not be run or could not be compared."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ewc_core.errors import SpecError
from ewc_core.specs import Choices, FloatRange, SweepSpec
from tests.ewc_core.sweep.specs import BROAD, JOB, LAMBDA, choices, sweep

NO_VALIDATION = {"training": {"batch_size": 200}}
SGD_OR_ADAM = {"training.optimiser": choices("sgd", "adam"), "training.momentum": choices(0.0, 0.9)}
HUGE_TOGETHER = {f"network.hidden_sizes.{place}": {"kind": "int", "low": 10, "high": 16000} for place in range(2)}


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"method.lambda": choices(1)}, "search.method.lambda: method has no field 'lambda'; it has constraints, ewc_lambda,"),
        ({"ewc_lambda": choices(1)}, "search.ewc_lambda: a sweep sets fields of method, network, training, not of 'ewc_lambda'"),
        ({"tasks": choices(1)}, "search.tasks: a sweep sets fields of"),
        ({"tasks.0.permutation": choices(1)}, "search.tasks.0.permutation: a sweep sets fields of"),
        ({"seed": choices(1)}, "search.seed: a sweep sets fields of"),
        ({"method.kind": choices("l2")}, "submit one sweep per kind"),
        ({"training.evaluate_on": choices("test")}, "search.training.evaluate_on: training.evaluate_on cannot be searched"),
        ({"training.evaluate_every": choices(1)}, "evaluated after each visit only"),
        ({"training.num_validation_examples": choices(1)}, "different validation sets cannot be compared"),
        ({"network": choices(1)}, "search.network: network is not a single value; name one of its fields: hidden_sizes, kind"),
        ({"network.hidden_sizes": choices(1)}, "name one of its fields: 0"),
        ({"network.hidden_sizes.1": choices(1)}, "network.hidden_sizes has no field '1'; it has 0"),
        ({"training.learning_rate.a": choices(1)}, "training.learning_rate has no field 'a'; it is a single value"),
        ({"training.learning_rate": {"low": 0.0, "high": 1.0}}, "search.training.learning_rate: training.learning_rate 0.0"),
        ({"training.learning_rate": {"low": 0.1, "high": 11.0}}, "search.training.learning_rate: training.learning_rate 11.0"),
        ({LAMBDA: choices(1, -1)}, "search.method.ewc_lambda: method.ewc_lambda -1 makes no valid job"),
        (SGD_OR_ADAM, "search.training.momentum: training.momentum 0.9 makes no valid job: momentum 0.9 has no effect"),
    ],
)
def test_a_field_or_a_value_that_no_trial_could_have_is_named(search, message):
    with pytest.raises(ValidationError) as refused:
        sweep(search)
    assert message in str(refused.value)


def test_values_that_are_refused_only_together_are_all_named():
    with pytest.raises(ValidationError, match=r"search: network.hidden_sizes.0 16000, network.hidden_sizes.1 16000 makes no"):
        sweep(HUGE_TOGETHER, job={"network": {"hidden_sizes": [10, 10, 16000, 16000, 16000]}})


def test_values_that_are_valid_only_together_are_taken():
    search = {"training.optimiser": choices("sgd"), "training.momentum": choices(0.5, 0.9)}
    assert sweep(search).trial_job({"training.optimiser": "sgd", "training.momentum": 0.9}).training.momentum == 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"job": NO_VALIDATION}, "job.training.num_validation_examples is 0, so there is nothing to score trials on; set it"),
        ({"job": {"stream": "open"}}, "job.stream is 'open'"),
        ({"job": {"metadata": {f"key{number}": "" for number in range(15)}}}, "job.metadata has 15 entries; at most 14"),
        ({"sampler": "grid"}, "search.method.ewc_lambda is a range of kind 'float'; sampler 'grid' needs kind 'choices'"),
        ({"sampler": "grid", "search": {LAMBDA: choices(1, 2, 3)}, "num_trials": 2}, "the grid has 3 combinations; set num_tri"),
        ({"search": {LAMBDA: {"low": 2.0, "high": 2.0}}}, "low 2.0 must be less than high 2.0"),
        ({"search": {LAMBDA: {"low": 0.0, "high": 2.0, "log": True}}}, "low 0.0 must be above 0 with log"),
        ({"search": {LAMBDA: choices(1, 1.0)}}, "must differ from each other"),
        ({"search": {LAMBDA: {"kind": "normal"}}}, "a range's 'kind' is 'float' (the default), 'int' or 'choices'"),
        ({"search": {}}, "search"),
        ({"num_trials": 0}, "num_trials"),
    ],
)
def test_a_sweep_that_cannot_be_scored_or_searched_is_refused(changes, message):
    with pytest.raises(ValidationError) as refused:
        SweepSpec.model_validate({"search": BROAD, **changes, "job": {**JOB, **changes.get("job", {})}})
    assert message in str(refused.value)


def test_a_trial_is_the_job_with_its_values_and_without_controls_or_test_data():
    training = {**JOB["training"], "evaluate_on": "test", "evaluate_every": 5}
    spec = sweep(job={"controls": ["naive", "joint"], "training": training, "seed": 7})
    job = spec.trial_job({LAMBDA: 3.0, "network.hidden_sizes.0": 20})
    assert (job.method.ewc_lambda, job.network.hidden_sizes) == (3.0, [20])
    assert (job.controls, job.stream, job.training.evaluate_on, job.training.evaluate_every) == ([], "closed", "validation", None)
    assert (job.seed, job.tasks, job.training.num_validation_examples) == (7, spec.job.tasks, 137)


def test_the_final_job_is_the_job_with_its_values_its_controls_and_test_data():
    spec = sweep(job={"controls": ["naive"], "training": {**JOB["training"], "evaluate_on": "validation", "evaluate_every": 5}})
    job = spec.final_job({LAMBDA: 3.0})
    assert (job.method.ewc_lambda, job.controls, job.training.evaluate_on, job.training.evaluate_every) == (
        3.0,
        ["naive"],
        "test",
        5,
    )


def test_values_that_make_no_job_are_refused_when_a_trial_is_made():
    with pytest.raises(SpecError) as refused:
        sweep().trial_job({LAMBDA: -1.0})
    assert refused.value.field == "search.method.ewc_lambda"


def test_a_sweep_survives_json():
    spec = sweep({LAMBDA: choices(1, 2.5), "training.optimiser": choices("sgd", "adam")}, num_trials=4, sampler="grid")
    assert SweepSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_range_without_a_kind_is_one_of_real_numbers_and_python_needs_no_kinds():
    assert isinstance(sweep({LAMBDA: {"low": 1, "high": 2}}).search[LAMBDA], FloatRange)
    assert isinstance(sweep({LAMBDA: Choices(values=[1, 2])}).search[LAMBDA], Choices)


def test_an_option_of_a_plug_in_that_the_job_names_can_be_searched():
    network = {"kind": "plugin", "name": "any", "options": {"width": 8}}
    assert sweep({"network.options.width": choices(4, 8)}, job={"network": network}).trial_job({"network.options.width": 4})
    with pytest.raises(ValidationError, match=r"network\.options has no field 'depth'; it has width"):
        sweep({"network.options.depth": choices(4)}, job={"network": network})


def test_many_tasks_and_many_values_are_checked_quickly_because_one_task_stands_for_all():
    tasks = [{"dataset": "digits", "permutation": index} for index in range(1000)]
    widths = {"network.hidden_sizes.0": choices(*range(10, 30))}
    assert len(sweep(widths, job={"tasks": tasks, "heads": {"kind": "multi"}}).job.tasks) == 1000
    with pytest.raises(ValidationError, match="parameters; at most"):
        sweep(
            {"network.hidden_sizes.0": choices(16, 16000)},
            job={"tasks": tasks, "heads": {"kind": "multi"}, "network": {"hidden_sizes": [16, *[16000] * 4]}},
        )
