"""Refusals that say what may have been meant."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from api.app import create_app
from api.hints import message_with_hint
from api.settings import ApiSettings
from api.task_switches.schemas import TaskSwitchRequest
from ewc_core.specs import JOB_SPEC, SweepSpec

EWC = {"kind": "ewc", "ewc_lambda": 1.0}
DIGITS = [{"dataset": "digits"}]
GAMES = {
    "kind": "reinforcement",
    "network": {"kind": "mlp"},
    "agent": {"preset": "small"},
    "method": {"kind": "naive"},
    "tasks": [{"kind": "atari", "game": "pong"}],
    "schedule": {"kind": "rounds", "num_steps": 10},
}


@pytest.fixture(scope="module")
def document() -> dict:
    return create_app(ApiSettings()).openapi()


def _messages(document: dict, body: object, *, adapter: TypeAdapter = JOB_SPEC, path: str = "/v1/jobs") -> str:
    with pytest.raises(ValidationError) as refused:
        adapter.validate_python(body)
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    errors = [{**error, "loc": ("body", *error["loc"])} for error in refused.value.errors()]
    return "\n".join(message_with_hint(error, body, schema, document["components"]["schemas"]) for error in errors)


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"method": {"kind": "ewc", "lambda": 1.0}}, "did you mean `ewc_lambda`?"),
        ({"method": {"kind": "online_ewc", "ewc_lambda": 1.0, "gamma": 0.9}}, "did you mean `fisher_decay`?"),
        ({"method": {"kind": "si", "lambda": 1.0}}, "did you mean `strength`?"),
        ({"method": {"kind": "naive", "lambda": 1.0}}, "there is no field 'lambda' here; there is kind"),
        ({"method": {"kind": "EWC", "ewc_lambda": 1.0}}, "did you mean `ewc`?"),
        ({"method": {"kind": "oewc", "ewc_lambda": 1.0}}, "did you mean `online_ewc`?"),
        ({"training": {"lr": 0.1}}, "did you mean `learning_rate`?"),
        ({"training": {"epochs": 1}}, "did you mean `num_epochs`?"),
        ({"training": {"batch": 1}}, "did you mean `batch_size`?"),
        ({"training": {"optimizer": "adam"}}, "did you mean `optimiser`?"),
        ({"training": {"optimiser": "adamw"}}, "did you mean `adam`?"),
        ({"training": {"lambda": 1.0}}, "did you mean `method.ewc_lambda`?"),
        ({"lr": 0.1}, "did you mean `training.learning_rate`?"),
        ({"random_seed": 1}, "did you mean `seed`?"),
        ({"hidden_layers": [1]}, "did you mean `network.hidden_sizes`?"),
        ({"network": {"hidden": [10]}}, "did you mean `hidden_sizes`?"),
        ({"network": {"kind": "cnn"}}, "did you mean `conv`?"),
        ({"network": {"kind": "conv", "chanels": [3]}}, "did you mean `channels`?"),
        ({"heads": {"kind": "task-incremental"}}, "did you mean `multi`?"),
        ({"controls": ["finetune"]}, "did you mean `naive`?"),
        ({"tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutaton": 3}]}, "did you mean `permutation`?"),
        ({"tasks": [{"kind": "rotated", "dataset": "digits", "degrees": 3, "angle": 3}]}, "did you mean `degrees`?"),
        ({"tasks": [{"dataset": {"kind": "arrays", "path": "a.npz", "file": "a"}}]}, "did you mean `path`?"),
        ({"tasks": [{"dataset": {"kind": "array", "path": "a.npz"}}]}, "did you mean `arrays`?"),
        ({"tasks": [{"dataset": "mnst"}]}, "did you mean `mnist`?"),
        ({"tasks": [{"dataset": "FashionMNIST"}]}, "did you mean `fashion-mnist`?"),
        ({"kind": "rl"}, "did you mean `reinforcement`?"),
        ({"method": {"lambda": 1.0}}, "expected an object with a 'kind': 'naive', 'l2', 'dropout', 'ewc'"),
        ({"method": "EWC"}, """did you mean `{"kind": "ewc"}`?"""),
        ({"network": "mlp"}, """did you mean `{"kind": "mlp"}`?"""),
        ({"heads": "task_incremental"}, """expected an object; did you mean `{"kind": "multi"}`?"""),
        ({"training": 3}, "expected an object with the fields optimiser, learning_rate, "),
        ({"tasks": ["digits"]}, """expected an object; a task's 'kind' is"""),
        ({"tasks": ["digits"]}, """did you mean `{"dataset": "digits"}`?"""),
        ({"tasks": ["rotate"]}, """did you mean `{"kind": "rotated"}`?"""),
        ({"dataset": "digits"}, "there is no field 'dataset' here; did you mean `tasks.0.dataset`?"),
        ({"name": 1.1}, "expected a text, not 1.1; write it in quotation marks"),
        ({"name": True}, "expected a text, not true; write it in quotation marks"),
        ({"metadata": {"version": 2}}, "expected a text, not 2; write it in quotation marks"),
    ],
)
def test_a_name_that_is_not_known_is_answered_with_the_one_that_is_near(document, change, hint):
    assert hint in _messages(document, {"method": EWC, "tasks": DIGITS, **change})


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"agent": {"preset": "small", "buffer_size": 10}}, "did you mean `replay_capacity`?"),
        ({"agent": {"preset": "small", "gamma": 0.9}}, "did you mean `discount`?"),
        ({"method": {"kind": "ewc", "ewc_lambda": 1.0, "fisher": {"kind": "policy", "temprature": 2}}}, "`temperature`?"),
        ({"tasks": [{"kind": "gymnasium", "env_id": "CartPole-v1"}]}, "did you mean `id`?"),
        ({"tasks": [{"kind": "atari", "game": "pongg"}]}, "did you mean pong?"),
        ({"schedule": {"kind": "rounds", "num_steps": 10, "rounds": 2}}, "did you mean `num_rounds`?"),
        ({"schedule": {"num_steps": 10}}, "expected an object with a 'kind': 'rounds' or 'explicit'"),
        ({"schedule": {"kind": "round", "num_steps": 10}}, "expected 'rounds' or 'explicit'; did you mean `rounds`?"),
    ],
)
def test_games_too(document, change, hint):
    assert hint in _messages(document, {**GAMES, **change})


def test_sweeps_and_task_switches_too(document):
    job = {"method": EWC, "tasks": DIGITS, "training": {"num_validation_examples": 10}}
    sweep = {"job": job, "search": {"method.ewc_lambda": {"low": 1, "high": 2}}}

    def of_sweep(body: dict) -> str:
        return _messages(document, body, adapter=TypeAdapter(SweepSpec), path="/v1/sweeps")

    assert "did you mean `num_trials`?" in of_sweep({**sweep, "n_trials": 3})
    assert "did you mean `ewc_lambda`?" in of_sweep({**sweep, "search": {"method.lambda": {"low": 1, "high": 2}}})
    assert "did you mean `low`?" in of_sweep({**sweep, "search": {"method.ewc_lambda": {"min": 1, "high": 2}}})
    assert "did you mean `learning_rate`?" in of_sweep({**sweep, "job": {**job, "training": {"lr": 1}}})
    switch = {"action": "append", "task": {"dataset": "digits", "perm": 1}}
    path = "/v1/jobs/{job_id}/task-switches"
    of_switch = TypeAdapter(TaskSwitchRequest)
    assert "`permutation`?" in _messages(document, switch, adapter=of_switch, path=path)
    no_action = _messages(document, {"task": {"dataset": "digits"}}, adapter=of_switch, path=path)
    assert no_action == "expected an object with an 'action': 'append', 'revisit', 'switch_now' or 'close'"


def test_what_data_sets_can_be_named_is_said(document):
    message = _messages(document, {"method": EWC, "tasks": [{"dataset": "cifar10"}]})
    for name in ("'digits', 'mnist' or 'fashion-mnist'", '"openml"', '"arrays"', '"plugin"'):
        assert name in message
    assert "did you mean" not in message


@pytest.mark.parametrize("name", ["x" * 100_000, "quite_something_else", "", "\x1b[31m"])
def test_a_name_without_neighbours_is_answered_with_what_there_is(document, name):
    message = _messages(document, {"method": EWC, "tasks": DIGITS, "training": {name: 1}})
    assert "there are optimiser, learning_rate" in message
    assert message.isprintable()


def test_the_api_answers_with_hints_also_about_its_query(client):
    refused = client.post("/v1/jobs", json={"method": {"kind": "ewc", "lambda": 1.0}, "tasks": DIGITS})
    details = {item["pointer"]: item["detail"] for item in refused.json()["errors"]}
    assert details["/method/lambda"] == "there is no field 'lambda' here; did you mean `ewc_lambda`?"
    assert "did you mean `running`?" in client.get("/v1/jobs?status=runing").json()["errors"][0]["detail"]


def test_a_long_explanation_stands_at_the_first_of_its_places_only(client):
    refused = client.post("/v1/jobs", json={"method": EWC, "tasks": [{"dataset": "cifar10"}] * 3})
    first, *others = [item["detail"] for item in refused.json()["errors"]]
    assert first.startswith("there is no built-in data set 'cifar10'")
    assert others == ["as at /tasks/0/dataset"] * 2
