"""`ewc sweep` and `ewc sweeps` as a user sees them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ewc_client import EWCClient
from ewc_client.sweep_tables import trial_table
from ewc_core.specs import JOB_SPEC
from store.job_states import JobStatus
from tests.api.lives import SPEC, bring_to
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.conftest import Service

SWEEP = {
    "name": "which λ",
    "job": {**SPEC, "training": {"num_validation_examples": 100}},
    "search": {"method.ewc_lambda": {"low": 1, "high": 1000, "log": True}},
    "num_trials": 4,
}


@pytest.fixture
def sweep_file(tmp_path: Path) -> str:
    """A sweep spec on disk."""
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(SWEEP))
    return str(file)


def make_trials(service: Service, sweep_id: str, scores: list[float | None], *, status: str | None) -> None:
    """One trial per score (None: failed), and one that is being trained unless the sweep is over."""
    with service.database.write() as work:
        sweep = work.sweeps.get(sweep_id, lock=True)
        for number in range(len(scores) + (status is None)):
            parameters = {"method.ewc_lambda": 10.0**number}
            job = work.jobs.create(sweep.spec.trial_job(parameters), owner=sweep.owner)
            work.sweeps.add_trial(sweep_id, number=number, job_id=job.id, parameters=parameters)
        for number, score in enumerate(scores):
            work.sweeps.settle_trial(sweep_id, number, score=score)
        if status is not None:
            error = {"code": "no_trial_succeeded", "message": "none of them"} if status == "failed" else None
            work.sweeps.finish(sweep_id, status, error=error)
    if status is None:
        bring_to(service.database, job.id, JobStatus.RUNNING)


def test_a_submitted_sweep_says_how_to_follow_it(ewc: Ewc, here: Service, sweep_file: str) -> None:
    run = ewc("sweep", sweep_file)
    assert (run.status, run.out) == (0, "")
    assert "submitted. Follow it with:\n  ewc sweeps watch sweep_" in run.err


def test_as_json_it_is_one_document(ewc: Ewc, here: Service, sweep_file: str) -> None:
    run = ewc("sweep", sweep_file, "--set", "num_trials=7", "-o", "json")
    assert (run.status, run.err) == (0, "")
    assert json.loads(run.out)["num_trials"]["planned"] == 7


def test_a_refused_spec_names_the_field(ewc: Ewc, here: Service, sweep_file: str) -> None:
    run = ewc("sweep", sweep_file, "--set", 'search={"method.lambda": {"low": 1, "high": 2}}')
    assert (run.status, run.out) == (4, "")
    assert "method has no field 'lambda'" in run.err


def test_the_best_cannot_be_saved_before_there_is_one(ewc: Ewc, here: Service, sweep_file: str) -> None:
    run = ewc("sweep", sweep_file, "--save-best", "best.json")
    assert (run.status, run.out) == (2, "")
    assert "needs --watch" in run.err


def test_a_sweep_and_a_job_are_sent_to_the_command_that_takes_them(ewc: Ewc, here: Service, sweep_file: str) -> None:
    for check in ([], ["--check"]):
        run = ewc("submit", sweep_file, *check)
        assert (run.status, run.out) == (2, "")
        assert "this is a sweep, not a job; `ewc sweep` takes it" in run.err
    run = ewc("sweep", json.dumps(SPEC))
    assert (run.status, run.out) == (2, "")
    assert "this is a job, not a sweep; `ewc submit` takes it" in run.err


def test_without_a_service_it_says_what_to_do(ewc: Ewc, sweep_file: str) -> None:
    run = ewc("sweep", sweep_file)
    assert run.status == 4
    assert "ewc up" in run.err


def test_show_puts_the_best_trial_first_and_says_what_to_do_next(
    ewc: Ewc,
    here: Service,
    client: EWCClient,
) -> None:
    sweep = client.sweeps.create(SWEEP)
    assert "No trial has been made yet." in ewc("sweeps", "show", sweep.id).err
    make_trials(here, sweep.id, [0.5, 0.925, None], status=None)
    run = ewc("sweeps", "show", sweep.id)
    rows = [line.split()[:3] for line in run.out.splitlines()[2:6]]
    assert rows == [["3", "1000", "running,"], ["1", "10", "92.5"], ["0", "1", "50.0"], ["2", "100", "failed"]]
    assert "15.0 % done" in run.out
    assert "Best of 2: trial 1, method.ewc_lambda 10: mean validation score 92.5 % over all tasks." in run.out
    assert f"  ewc sweeps show {sweep.id} --save-best best.json\n  ewc submit best.json --watch\n" in run.err
    assert max(len(line) for line in run.out.splitlines()) <= 100


@pytest.mark.parametrize(("status", "expected"), [("succeeded", 0), ("failed", 1), ("cancelled", 3)])
def test_the_exit_status_of_watch_is_the_sweep_s(
    ewc: Ewc,
    here: Service,
    client: EWCClient,
    status: str,
    expected: int,
) -> None:
    sweep = client.sweeps.create(SWEEP)
    make_trials(here, sweep.id, [None if status == "failed" else 0.5], status=status)
    run = ewc("sweeps", "watch", sweep.id)
    assert run.status == expected
    assert f"sweep {sweep.id} {status}" in run.err
    assert "trial 0  method.ewc_lambda 1: " in run.err
    assert "\x1b" not in run.out + run.err


def test_the_best_job_is_saved_as_a_spec_that_can_be_submitted(
    ewc: Ewc,
    here: Service,
    client: EWCClient,
    tmp_path: Path,
) -> None:
    sweep = client.sweeps.create(SWEEP)
    make_trials(here, sweep.id, [0.5, 0.9], status="succeeded")
    file = tmp_path / "best.json"
    run = ewc("sweeps", "watch", sweep.id, "--save-best", str(file))
    assert f"ewc submit {file} --watch" in run.err.replace("\n", "")
    spec = JOB_SPEC.validate_json(file.read_bytes())
    assert (spec.method.ewc_lambda, spec.training.evaluate_on, spec.controls) == (10.0, "test", ["naive"])
    assert ewc("submit", str(file)).status == 0


def test_without_a_score_nothing_is_saved(ewc: Ewc, here: Service, client: EWCClient, tmp_path: Path) -> None:
    sweep = client.sweeps.create(SWEEP)
    make_trials(here, sweep.id, [None], status="failed")
    run = ewc("sweeps", "watch", sweep.id, "--save-best", str(tmp_path / "best.json"))
    assert run.status == 1
    assert "no trial of sweep" in run.err
    assert not (tmp_path / "best.json").exists()


def test_list_shows_how_far_each_sweep_is(ewc: Ewc, here: Service, client: EWCClient) -> None:
    assert ewc("sweeps", "ls").err.startswith("No sweeps.")
    sweep = client.sweeps.create(SWEEP)
    make_trials(here, sweep.id, [0.5, None], status=None)
    table = ewc("sweeps", "ls").out
    assert sweep.id in table
    assert "1 of 4 trials completed, 1 running, 1 failed" in table
    assert [item["id"] for item in json.loads(ewc("sweeps", "ls", "-o", "json").out)] == [sweep.id]


def test_cancel_ends_the_sweep_and_its_jobs(ewc: Ewc, here: Service, client: EWCClient) -> None:
    sweep = client.sweeps.create(SWEEP)
    make_trials(here, sweep.id, [0.5], status=None)
    assert f"{sweep.id} is cancelled; 1 of 4 trials completed" in ewc("sweeps", "cancel", sweep.id).err
    assert client.jobs.get(sweep.refresh().trials[1].job_id).status == "cancelling"
    assert "sweep_finished" in ewc("sweeps", "cancel", sweep.id).err


def test_waiting_ends_with_the_sweep_or_with_the_time_that_was_given(here: Service, client: EWCClient) -> None:
    sweep = client.sweeps.create(SWEEP)
    with pytest.raises(TimeoutError, match="it goes on"):
        sweep.wait(timeout_seconds=0)
    make_trials(here, sweep.id, [0.5], status="succeeded")
    assert sweep.wait().best.score == 0.5


def test_a_long_table_gives_way_to_the_height_of_the_terminal(here: Service, client: EWCClient) -> None:
    sweep = client.sweeps.create(SWEEP)
    make_trials(here, sweep.id, [0.1, 0.2, 0.3], status=None)
    console = Console(width=100, file=io.StringIO())
    console.print(trial_table(sweep.refresh(), max_rows=2))
    text = console.file.getvalue()
    assert "and 2 more" in text
    assert " 30.0" in text
    assert " 10.0" not in text
