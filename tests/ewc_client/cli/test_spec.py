"""`ewc spec`: every field of every spec, without a service."""

from __future__ import annotations

import json

import pytest

from ewc_client.cli.connection import complete_job_id
from ewc_client.spec_schema import example, find, members, specs, type_text
from ewc_core.specs import JOB_SPEC
from tests.ewc_client.cli.conftest import Ewc


def _all_paths(kind: str, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    paths = [path]
    if len(path) < 5:
        inner = [one for place in find(kind, path) for one in members(place.schema)]
        inner = [part for one in inner for part in (members(one["items"]) if "items" in one else [one])]
        for name in dict.fromkeys(name for one in inner for name in one.get("properties", ())):
            paths += _all_paths(kind, (*path, name))
    return paths


@pytest.mark.parametrize("kind", list(specs()))
def test_every_field_at_any_depth_has_a_type_and_an_example(kind: str) -> None:
    paths = _all_paths(kind)
    assert len(paths) > 8
    for path in paths:
        for place in find(kind, path):
            assert type_text(place.schema), path
            json.dumps(example(kind, path, place.schema))


@pytest.mark.parametrize("width", ["60", "120"])
def test_a_field_is_explained_with_type_bounds_default_meaning_and_example(ewc: Ewc, monkeypatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    run = ewc("spec", "method.ewc_lambda")
    assert run.status == 0
    assert max(map(len, run.out.splitlines())) <= int(width)
    text = " ".join(run.out.split())
    for part in ("kind is l2 or ewc or online_ewc", "number ≥ 0", "required", "Bayesian", "--set 'method.ewc_lambda=100.0'"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "method object of the kind naive, l2, dropout, ewc, online_ewc, si, mas or joint; required"),
        (("tasks.3.permutation",), "whole number ≥ 0"),
        (("agent.discount",), "of a reinforcement job"),
        (("training",), "learning_rate number > 0, ≤ 10; default 0.001"),
        (("search", "--kind", "sweep"), "object of the kind float, int or choices"),
        (("method", "--kind", "reinforcement"), "kind l2"),
        (("question.sigmas",), "question.sigmas, of an analysis job where the kind is perturbation: list of 1 to 32 values"),
    ],
)
def test_the_whole_its_parts_and_other_kinds_are_explained(ewc: Ewc, arguments: tuple[str, ...], said: str) -> None:
    run = ewc("spec", *arguments)
    assert run.status == 0
    assert said in " ".join(run.out.split())


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("method.ewc_lamda", "did you mean `ewc_lambda`?"),
        ("agent.discont", "did you mean `discount`?"),
        ("seed.deeper", "it is a single value"),
        ("..", "has no field ''"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(ewc: Ewc, field: str, said: str) -> None:
    run = ewc("spec", field)
    assert (run.status, run.out) == (2, "")
    assert said in run.err


def test_a_choice_that_is_not_there_is_answered_without_words_of_the_library(ewc: Ewc) -> None:
    run = ewc("spec", "--kind", "foo")
    assert run.status == 2
    assert "Invalid value for --kind: 'foo' is no kind of spec; there are supervised, " in run.err
    assert "Value error" not in run.err


def test_examples_of_fields_make_a_job(ewc: Ewc) -> None:
    spec = {name: example("supervised", (name,), find("supervised", (name,))[0].schema) for name in ("method", "tasks", "seed")}
    assert JOB_SPEC.validate_python(spec).tasks


def test_help_and_version_and_completion_are_there(ewc: Ewc, here, client) -> None:
    assert "ewc spec" in ewc("submit", "-h").out
    assert ewc("--version").out == "ewc 0.2.0\n"
    assert "--install-completion" in ewc("-h").out


def test_ids_of_jobs_are_completed_and_nothing_is_said_without_a_service(capsys, here, client, monkeypatch) -> None:
    job = client.jobs.create({"method": {"kind": "naive"}, "tasks": [{"dataset": "digits"}]})
    assert complete_job_id("job_") == [(job.id, "queued")]
    assert complete_job_id("job_x") == []
    monkeypatch.setenv("EWC_URL", "http://127.0.0.1:9")
    assert complete_job_id("job_") == []
    monkeypatch.delenv("EWC_URL")
    assert complete_job_id("job_") == []
    assert capsys.readouterr() == ("", "")
