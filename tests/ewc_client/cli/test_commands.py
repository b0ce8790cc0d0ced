"""The command line as a user sees it: what it prints where, and with which status it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ewc_client import EWCClient
from ewc_client.models import Event
from ewc_client.sse import EventStream
from store.job_states import JobStatus
from tests.api.lives import ASSOCIATION, SPEC, add_checkpoint, bring_to, find, finish_visit, leave_snapshot, warn
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.conftest import Service
from tests.ewc_client.results import ASSOCIATION as FOUND
from tests.ewc_client.results import OVERLAP

OPEN = {**SPEC, "stream": "open"}


@pytest.fixture
def spec_file(tmp_path: Path) -> str:
    """A job spec on disk."""
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(SPEC))
    return str(file)


def record_scores(service: Service, job_id: str) -> None:
    """What two finished visits leave."""
    with service.database.write() as work:
        for visit in (0, 1):
            work.switches.start_visit(job_id, visit)
            work.switches.finish_visit(job_id, visit, num_steps=10)
        for method, kept in (("ewc", 0.96), ("naive", 0.4)):
            work.evaluations.put_row(job_id, method=method, after_visit=0, scores={0: 0.98}, num_examples={0: 360})
            work.evaluations.put_row(
                job_id, method=method, after_visit=1, scores={0: kept, 1: 0.97}, num_examples={0: 360, 1: 360}
            )


def test_submit_says_how_to_follow_the_job(ewc: Ewc, here: Service, spec_file: str) -> None:
    run = ewc("submit", spec_file)
    assert run.status == 0
    assert run.out == ""
    assert "submitted. Follow it with:\n  ewc watch job_" in run.err


def test_submit_as_json_prints_the_job_and_nothing_else(ewc: Ewc, here: Service, spec_file: str) -> None:
    run = ewc("submit", spec_file, "--set", "name=changed", "--output", "json")
    assert (run.status, run.err) == (0, "")
    assert json.loads(run.out)["name"] == "changed"


def test_a_refused_spec_ends_with_4_and_names_the_field(ewc: Ewc, here: Service, spec_file: str) -> None:
    run = ewc("submit", spec_file, "--set", "training.num_epochs=0")
    assert (run.status, run.out) == (4, "")
    assert "training.num_epochs" in run.err
    assert "Traceback" not in run.err


def test_a_file_that_is_not_there_is_wrong_usage(ewc: Ewc, here: Service) -> None:
    run = ewc("submit", "nowhere.json")
    assert (run.status, run.out) == (2, "")
    assert "nowhere.json" in run.err


def test_without_a_service_submit_says_what_to_do(ewc: Ewc, spec_file: str) -> None:
    run = ewc("submit", spec_file)
    assert (run.status, run.out) == (4, "")
    assert "ewc up" in run.err
    assert "--watch" in run.err


def test_ls_is_a_table_or_json(ewc: Ewc, here: Service, client: EWCClient) -> None:
    assert ewc("ls").err.startswith("No jobs.")
    job = client.jobs.create({**SPEC, "name": "the first one"})
    table = ewc("ls")
    assert table.status == 0
    assert job.id in table.out
    assert "the first one" in table.out
    assert max(len(line) for line in table.out.splitlines()) <= 100
    assert [item["id"] for item in json.loads(ewc("ls", "--output", "json").out)] == [job.id]


def test_ls_tells_a_check_from_the_job_that_it_looks_at(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create({**SPEC, "name": "mine"})
    assert ewc("ls").out.split()[:3] == ["id", "name", "status"]
    check = client.jobs.check({**SPEC, "name": "mine"})
    rows = [line.split()[:4] for line in ewc("ls").out.splitlines()]
    assert rows[0][:3] == ["id", "kind", "name"]
    assert rows[2:] == [[check.id, "check", "mine", "queued"], [job.id, "mine", "queued", "2"]]


def test_show_prints_the_job_and_its_tasks(ewc: Ewc, here: Service, client: EWCClient) -> None:
    run = ewc("show", client.jobs.create(SPEC).id)
    assert "ewc (ewc_lambda 100," in run.out
    assert "digits-permutation-1" in run.out


@pytest.mark.parametrize(("status", "expected"), [(JobStatus.SUCCEEDED, 0), (JobStatus.FAILED, 1), (JobStatus.CANCELLED, 3)])
def test_the_exit_status_of_watch_is_the_job_s(
    ewc: Ewc, here: Service, client: EWCClient, status: JobStatus, expected: int
) -> None:
    job = client.jobs.create(SPEC)
    bring_to(here.database, job.id, status)
    run = ewc("watch", job.id)
    assert run.status == expected
    assert f"job {job.id} {status.value}" in run.err


def test_watch_ends_with_the_matrix_beside_its_control(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    bring_to(here.database, job.id, JobStatus.SUCCEEDED)
    record_scores(here, job.id)
    run = ewc("watch", job.id)
    assert "Earlier tasks retained, on average: ewc 98.0 %, naive 40.8 %." in run.out
    assert "\x1b" not in run.out + run.err
    assert max(len(line) for line in run.out.splitlines()) <= 100


def test_watch_as_json_prints_one_document_with_the_matrix(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    bring_to(here.database, job.id, JobStatus.SUCCEEDED)
    record_scores(here, job.id)
    document = json.loads(ewc("watch", job.id, "-o", "json").out)
    assert document["status"] == "succeeded"
    assert document["matrix"]["methods"]["ewc"]["role"] == "method"


def test_watching_a_job_without_tasks_ends_with_its_result(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(ASSOCIATION)
    find(here.database, job.id, FOUND)
    run = ewc("watch", job.id)
    assert run.status == 0
    assert f"job {job.id} succeeded" in run.err
    assert "200 synapses, 600 patterns, 50 repeats" in run.out
    assert json.loads(ewc("watch", job.id, "-o", "json").out)["result"]["body"] == FOUND
    assert "200 synapses" in ewc("result", job.id).out
    assert json.loads(ewc("result", job.id, "-o", "json").out)["body"] == FOUND


def test_a_job_without_tasks_that_failed_has_no_result_to_print(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(ASSOCIATION)
    bring_to(here.database, job.id, JobStatus.FAILED)
    run = ewc("watch", job.id)
    assert (run.status, run.out) == (1, "")
    assert json.loads(ewc("watch", job.id, "-o", "json").out)["result"] is None
    refused = ewc("result", job.id)
    assert refused.status == 4
    assert "no_result" in refused.err


def test_show_describes_a_job_of_any_kind(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(ASSOCIATION)
    assert "gd (rate 0.5), ewc" in ewc("show", job.id).out
    learned = client.jobs.create(SPEC)
    finish_visit(here.database, learned.id, 0)
    shown = " ".join(ewc("show", learned.analyse({"kind": "perturbation", "num_draws": 7}).id).out.split())
    assert "question perturbation (task 0," in shown
    assert "num_draws 7" in shown
    assert f" of {learned.id}" in shown


def test_show_prints_warnings_and_weights(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    bring_to(here.database, job.id, JobStatus.RUNNING)
    finish_visit(here.database, job.id, 0)
    warn(here.database, job.id, "capacity_nearly_used", "92 % frozen", visit_index=0)
    assert ewc("reweight", job.id, "0", "0.25").err == "task 0 (digits-permutation-0) counts 0.25 times from the next visit on\n"
    shown = ewc("show", job.id).out
    assert "warning: 92 % frozen (capacity_nearly_used)" in shown
    assert "0.25" in shown
    assert json.loads(ewc("forget", job.id, "0", "-o", "json").out)["constraint"]["weight"] == 0.0
    refused = ewc("forget", job.id, "1")
    assert refused.status == 4
    assert "no_constraint" in refused.err


def test_a_question_is_asked_listed_and_answered(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    for visit in (0, 1):
        finish_visit(here.database, job.id, visit)
    asked = json.loads(
        ewc("analyse", job.id, "overlap", "--task", "1", "--task", "0", "--set", "num_examples=50", "-o", "json").out
    )
    assert asked["spec"]["question"] == {
        "kind": "overlap", "first_task": 1, "second_task": 0, "at_visit": None, "num_examples": 50,
    }  # fmt: skip
    run = ewc("analyse", job.id, "perturbation", "--task", "1")
    assert run.err.startswith("analysis job_")
    find(here.database, asked["id"], OVERLAP)
    assert "whole network" in ewc("watch", asked["id"]).out
    listed = ewc("analyses", job.id).out
    assert "overlap" in listed
    assert "perturbation" in listed
    assert [one["status"] for one in json.loads(ewc("analyses", job.id, "-o", "json").out)] == ["queued", "succeeded"]


def test_a_question_with_the_wrong_number_of_tasks_is_wrong_usage(ewc: Ewc) -> None:
    assert ewc("analyse", "job_x", "overlap", "--task", "1").status == 2
    assert ewc("analyse", "job_x", "capacity", "--task", "1").status == 2
    assert ewc("analyse", "job_x", "mood").status == 2


def test_matrix_prints_a_table_json_or_csv(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert ewc("matrix", job.id).out.strip() == "No visit has been evaluated yet."
    record_scores(here, job.id)
    assert "naive (control)" in ewc("matrix", job.id).out
    assert json.loads(ewc("matrix", job.id, "-o", "json").out)["object"] == "matrix"
    assert len(ewc("matrix", job.id, "-o", "csv").out.splitlines()) > 2


def test_moves_say_what_became_of_the_job(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert ewc("pause", job.id).err == f"{job.id} is paused\n"
    assert ewc("resume", job.id).err == f"{job.id} is queued\n"
    assert json.loads(ewc("cancel", job.id, "-o", "json").out)["status"] == "cancelled"
    refused = ewc("resume", job.id)
    assert refused.status == 4
    assert "illegal_transition" in refused.err


def test_switches_are_recorded_and_their_visit_is_named(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(OPEN)
    assert ewc("switch", job.id, '{"dataset": "digits", "permutation": 5}').err == (
        "task switch 3 (append) recorded: visit 2 will be on task 2\n"
    )
    assert json.loads(ewc("switch", job.id, "--revisit", "0", "-o", "json").out)["visit_index"] == 3
    assert "(close) recorded" in ewc("close", job.id).err
    assert ewc("switch", job.id, "--revisit", "0").status == 4


def test_a_switch_to_nothing_or_to_two_things_is_wrong_usage(ewc: Ewc) -> None:
    assert ewc("switch", "job_x").status == 2
    assert ewc("switch", "job_x", "{}", "--revisit", "1").status == 2


def test_checkpoints_are_listed_and_downloaded(ewc: Ewc, here: Service, client: EWCClient, tmp_path: Path) -> None:
    job = client.jobs.create(SPEC)
    record = add_checkpoint(here.database, job.id, bytes(range(200)))
    assert record.id in ewc("checkpoints", job.id).out
    whole = ewc("get", record.id, "--to", str(tmp_path / "c"))
    assert "200 bytes, SHA-256 verified" in whole.err
    assert (tmp_path / "c").read_bytes() == bytes(range(200))
    ewc("get", record.id, "--to", str(tmp_path / "t"), "--tensor", "anchor.0.weight")
    assert (tmp_path / "t").read_bytes() == bytes(range(8, 24))


def test_snapshots_are_listed_with_what_they_hold(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert "No snapshots yet." in ewc("snapshots", job.id).err
    leave_snapshot(here.database, job.id, 0)
    leave_snapshot(here.database, job.id, 1, replay_bytes=2**30)
    listed = json.loads(ewc("snapshots", job.id, "-o", "json").out)
    assert [one["replays"] for one in listed] == [{"are_kept": True, "num_bytes": 0}, {"are_kept": False, "num_bytes": 2**30}]
    rows = [" ".join(line.split()) for line in ewc("snapshots", job.id).out.splitlines() if "snap_" in line]
    assert rows == [f"{listed[0]['id']} 0 0 ewc, naive 1 5", f"{listed[1]['id']} 1 0 ewc, naive 1 5 not kept"]


def test_a_new_key_is_alone_on_standard_output(ewc: Ewc, here: Service) -> None:
    made = ewc("keys", "create", "ci", "--scope", "jobs:read")
    assert made.out.startswith("ewc_live_")
    assert len(made.out.split()) == 1
    listed = json.loads(ewc("keys", "ls", "-o", "json").out)
    [key] = [key for key in listed if key["name"] == "ci"]
    assert ewc("keys", "revoke", key["id"]).status == 0
    assert "revoked" in ewc("keys", "ls").out


def test_keys_of_other_owners_are_made_shown_and_revoked_by_an_operator_alone(ewc: Ewc, here: Service) -> None:
    made = json.loads(ewc("keys", "create", "ci", "--owner", "team-b", "--scope", "keys:admin", "-o", "json").out)
    assert made["owner"] == "team-b"
    assert "team-b" in ewc("keys", "ls").out
    [only] = json.loads(ewc("keys", "ls", "--owner", "team-b", "-o", "json").out)
    assert only["id"] == made["id"]
    theirs = ("--api-key", made["key"])
    assert [key["owner"] for key in json.loads(ewc("keys", "ls", "-o", "json", *theirs).out)] == ["team-b"]
    for command in (("ls", "--owner", "default"), ("create", "x", "--owner", "default"), ("create", "x")):
        refused = ewc("keys", *command, *theirs)
        assert (refused.status, "lacks the scope" in refused.err) == (4, True)
    assert ewc("keys", "revoke", made["id"]).status == 0
    assert "revoked" in ewc("keys", "ls", "--owner", "team-b").out


def test_a_watch_ends_with_the_reason_when_its_key_is_revoked(
    ewc: Ewc, here: Service, client: EWCClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.feed.SECONDS_BETWEEN_KEY_CHECKS", 0.0)
    job = client.jobs.create(SPEC)
    made = client.create_api_key("watcher", scopes=["jobs:read"])
    one_connection = EventStream._one_connection

    def revoke_once_connected(stream: EventStream) -> Iterator[Event]:
        for number, event in enumerate(one_connection(stream)):
            if number == 0:
                client.revoke_api_key(made.id)
            yield event

    monkeypatch.setattr(EventStream, "_one_connection", revoke_once_connected)
    ended = ewc("watch", job.id, "--api-key", str(made.key))
    assert ended.status == 4
    assert f"error: the API key {made.id} was revoked (unauthorized, HTTP 401)\n" in ended.err


def test_a_service_that_is_not_there_is_an_error_of_one_line(ewc: Ewc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EWC_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("ewc_client.transport.RetryPolicy.wait_seconds", lambda *arguments: 0.0)
    run = ewc("ls")
    assert (run.status, run.out) == (4, "")
    assert run.err.startswith("error: no answer from http://127.0.0.1:1")
    assert len(run.err.splitlines()) == 1


def test_ctrl_c_detaches_and_leaves_the_job_alone(here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    watch = subprocess.Popen(
        [sys.executable, "-c", "from ewc_client.cli import main; main()", "watch", job.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert watch.stderr is not None
    assert watch.stderr.readline() == f"following {job.id} (Ctrl-C detaches)\n"
    watch.send_signal(signal.SIGINT)
    out, err = watch.communicate(timeout=20)
    assert watch.returncode == 130
    assert out == ""
    assert f"Detached. The job goes on. Come back with:\n  ewc watch {job.id}" in err
    assert client.jobs.get(job.id).status == "queued"


def test_show_task_prints_what_was_read(ewc: Ewc, here: Service, client: EWCClient) -> None:
    job = client.jobs.create(SPEC)
    assert "not loaded yet" in ewc("show", job.id, "--task", "1").out
    numbers = {"smallest": 0.0, "largest": 2e4, "mean": 10.0, "standard_deviation": 3.0}
    as_read = {
        "input_shape": [3], "dtype": "double", "scaling": "as they are",
        "num_examples": {"train": 32, "validation": 0, "test": 8},
        "num_examples_looked_at": 32, "inputs": numbers, "likelihood": "categorical", "num_outputs": 2,
        "num_of_class": {"train": [30, 2], "test": [8, 0]}, "targets": None, "num_constant_columns": 30,
        "constant_columns": ["still"], "merged_columns": [{"column": "time", "num_stored": 40, "num_read": 1}],
        "left_out_columns": ["__index_level_0__"],
    }  # fmt: skip
    data = {
        "digests": [{"name": "a.npz", "sha256": "ab" * 32, "version": None}],
        "as_read": as_read,
        "warnings": [{"code": "columns_merged", "message": "40 become 1"}],
    }
    with here.database.write() as work:
        work.tasks.note_data(job.id, {1: data})
    shown = " ".join(ewc("show", job.id, "--task", "1").out.split())
    for part in (
        f"a.npz sha256 {'ab' * 32}",
        "3, double as they are, 0 to 2e+04",
        "train 32 examples, per class 30, 2",
        "30 columns: 'still' and 29 more",
        "column 'time': 40 values become 1",
        "left out '__index_level_0__'",
        "warning: 40 become 1 (columns_merged)",
    ):
        assert part in shown
    assert json.loads(ewc("show", job.id, "--task", "1", "-o", "json").out)["data"] == data
    refused = ewc("show", job.id, "--task", "7")
    assert (refused.status, "has 2 tasks, and no task 7" in refused.err) == (2, True)


def test_ls_lists_everywhere_and_list_means_the_same(ewc: Ewc, here) -> None:
    for group in ([], ["sweeps"], ["keys"]):
        runs = [ewc(*group, word, "-o", "json") for word in ("ls", "list")]
        assert runs[0] == runs[1]
        assert runs[0].status == 0


def test_a_method_is_shown_in_words(ewc: Ewc, here, client: EWCClient, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    game = {
        "kind": "reinforcement",
        "network": {"kind": "mlp"},
        "agent": {"preset": "small"},
        "method": {"kind": "ewc", "ewc_lambda": 1e12, "fisher": {"kind": "policy", "temperature": 0.1}},
        "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0"}],
        "schedule": {"kind": "rounds", "num_steps": 10},
    }
    shown = ewc("show", client.jobs.create(game).id).out
    assert "ewc (ewc_lambda 1e+12, fisher policy (" in shown
    assert "temperature 0.1), " in shown
    assert "{" not in shown
