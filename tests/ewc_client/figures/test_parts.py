"""Which jobs a figure takes, and which it submits, against the real API."""

from __future__ import annotations

import dataclasses

import pytest

from ewc_client import EWCClient
from ewc_client.errors import FigureError, NotFoundError
from ewc_client.figures.parts import obtain_answer, obtain_jobs
from ewc_client.figures.recipe import Recipe, spec_sha256
from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, SPEC, bring_to, finish_visit
from tests.ewc_client.conftest import Service

OTHER = {**SPEC, "method": {"kind": "l2", "ewc_lambda": 1.0}, "metadata": {"team": "a"}}
RECIPE = Recipe("3a", "two parts", False, {"ewc": SPEC, "l2": OTHER}, None)
OVERLAP = {"kind": "overlap", "first_task": 0, "second_task": 1, "at_visit": None, "num_examples": 10}


def ids(client: EWCClient, recipe: Recipe = RECIPE, **given: str) -> dict[str, str]:
    return {part: job.id for part, job in obtain_jobs(client, recipe, given).items()}


def test_every_part_becomes_a_job_that_says_where_it_belongs(client: EWCClient) -> None:
    jobs = obtain_jobs(client, RECIPE, {})
    assert list(jobs) == ["ewc", "l2"]
    assert (jobs["l2"].name, jobs["l2"].status) == ("figure-3a: l2", "queued")
    assert jobs["l2"].spec["metadata"] == {"team": "a", "figure": "3a", "part": "l2", "spec_sha256": spec_sha256(OTHER)}
    assert jobs["l2"].spec["method"]["kind"] == "l2"


def test_the_same_figure_takes_the_same_jobs_and_another_spec_makes_another(client: EWCClient) -> None:
    first = ids(client)
    assert ids(client) == first
    changed = ids(client, RECIPE.with_specs({"l2": {**OTHER, "seed": 1}}))
    assert changed["ewc"] == first["ewc"]
    assert changed["l2"] not in first.values()
    assert len(list(client.jobs.list())) == 3


def test_a_finished_job_is_taken_and_a_failed_or_cancelled_one_is_made_anew(client: EWCClient, service: Service) -> None:
    first = ids(client)
    bring_to(service.database, first["ewc"], JobStatus.SUCCEEDED)
    bring_to(service.database, first["l2"], JobStatus.FAILED)
    second = ids(client)
    assert second["ewc"] == first["ewc"]
    assert second["l2"] != first["l2"]
    client.jobs.cancel(second["l2"])
    third = ids(client)
    assert third["l2"] not in {first["l2"], second["l2"]}
    assert ids(client) == third


def test_a_given_job_is_taken_as_it_is(client: EWCClient) -> None:
    job_id = client.jobs.create({**SPEC, "seed": 5}).id
    assert ids(client, ewc=job_id)["ewc"] == job_id
    assert len(list(client.jobs.list())) == 2


def test_a_given_job_of_another_kind_or_of_nobody_is_refused_and_nothing_is_submitted(client: EWCClient) -> None:
    job_id = client.jobs.create(ASSOCIATION).id
    with pytest.raises(FigureError) as refused:
        ids(client, ewc=job_id)
    assert str(refused.value) == f"part 'ewc' is a job of kind 'supervised'; job {job_id} is of kind 'association'"
    with pytest.raises(NotFoundError):
        ids(client, ewc="job_00000000000000000000000000")
    assert len(list(client.jobs.list())) == 1


def test_an_answer_is_taken_again_and_one_to_another_question_is_not(client: EWCClient, service: Service) -> None:
    job = client.jobs.create(SPEC)
    bring_to(service.database, job.id, JobStatus.RUNNING)
    for visit in (0, 1):
        finish_visit(service.database, job.id, visit)
    job.analyse({**OVERLAP, "at_visit": 0})
    first = obtain_answer(client, job, OVERLAP, name="figure-3c: square_8")
    assert (first.name, first.spec["question"]) == ("figure-3c: square_8", OVERLAP)
    assert obtain_answer(client, job, OVERLAP, name="figure-3c: square_8").id == first.id
    bring_to(service.database, first.id, JobStatus.FAILED)
    second = obtain_answer(client, job, OVERLAP, name="figure-3c: square_8")
    assert second.id != first.id
    assert obtain_answer(client, job, OVERLAP, name="figure-3c: square_8").id == second.id


def test_a_quick_figure_and_a_whole_one_share_jobs_only_where_the_specs_are_the_same(client: EWCClient) -> None:
    quick = dataclasses.replace(RECIPE, quick=True, parts={"ewc": SPEC, "l2": {**OTHER, "seed": 9}})
    whole, again = ids(client), ids(client, quick)
    assert whole["ewc"] == again["ewc"]
    assert whole["l2"] != again["l2"]
