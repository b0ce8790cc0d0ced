"""What a watcher is told, event by event."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from rich.console import Console

from api.events import stream
from ewc_client import EWCClient, progress
from ewc_client.models import Event
from ewc_client.progress import Narrator
from tests.ewc_client.bodies import event
from tests.ewc_client.conftest import Service


def one_visit() -> Iterator[Event]:
    yield event(1, "job.created")
    yield event(2, "job.status", **{"from": None, "to": "queued", "reason": "submitted"})
    yield event(3, "job.status", **{"from": "queued", "to": "starting", "reason": "claimed"})
    yield event(4, "job.status", **{"from": "starting", "to": "running", "reason": "started"})
    yield event(5, "visit.started", visit_index=0, task_index=0, task="digits-permutation-0", num_steps=90)
    yield event(6, "visit.progress", visit_index=0, task_index=0, step=40, num_steps=90, losses={"ewc": 0.5, "naive": 0.6})
    yield event(7, "fisher.progress", visit_index=0, num_done=500, num_examples=1437)
    yield event(8, "evaluation.completed", after_visit=0, method="ewc", scores={"0": 0.97})
    yield event(9, "evaluation.completed", after_visit=0, method="naive", scores={"0": 0.96})
    yield event(10, "visit.finished", visit_index=0, num_steps=90)


def test_a_visit_is_told_in_one_line_with_every_method_s_score() -> None:
    narrator = Narrator()
    lines = [line for each in one_visit() for line in narrator.take(each)]
    assert lines == ["a worker has the job", "visit 0  digits-permutation-0  mean accuracy over 1 task: ewc 97.0 %  naive 96.0 %"]


def test_the_state_of_the_visit_follows_the_events() -> None:
    narrator, steps = Narrator(), []
    for each in one_visit():
        narrator.take(each)
        steps.append((narrator.visit.step, narrator.visit.fisher) if narrator.visit else None)
    assert steps[4:] == [(0, None), (40, None), (90, (500, 1437)), (90, (500, 1437)), (90, (500, 1437)), None]


def test_a_resumed_visit_goes_on_at_its_step() -> None:
    narrator = Narrator()
    said = narrator.take(
        event(1, "visit.resumed", "goes on at step 40", visit_index=2, task_index=1, task="t", step=40, num_steps=90)
    )
    assert said == ["goes on at step 40"]
    assert narrator.visit is not None
    assert (narrator.visit.index, narrator.visit.step) == (2, 40)


def test_a_waiting_job_says_what_it_waits_for() -> None:
    [line] = Narrator().take(event(1, "job.status", **{"from": "running", "to": "waiting", "reason": "stream_open"}))
    assert "ewc switch" in line
    assert "ewc close" in line


def test_a_lost_worker_and_a_paused_job_are_told() -> None:
    assert Narrator().take(event(1, "worker.lost", "worker w went silent")) == ["worker w went silent"]
    assert Narrator().take(event(2, "job.status", **{"from": "pausing", "to": "paused", "reason": "asked"})) == [
        "job is paused (asked)"
    ]
    assert Narrator().take(event(3, "job.status", **{"from": "pausing", "to": "paused", "reason": "paused"})) == ["job is paused"]


def test_an_event_of_a_later_version_is_passed_over() -> None:
    assert Narrator().take(event(1, "something.new", "?")) == []


def test_a_warning_is_told_with_its_code() -> None:
    said = Narrator().take(event(1, "job.warning", "lr·P is 3.1", code="explicit_step_unstable", method="ewc", visit_index=0))
    assert said == ["warning: lr·P is 3.1 (explicit_step_unstable)"]


def test_a_warning_that_comes_again_with_other_numbers_is_not_told_in_full_again() -> None:
    narrator, said = Narrator(), []
    for visit, largest in enumerate((3.1, 3.2e4, 7)):
        data = {"code": "explicit_step_unstable", "visit_index": visit}
        said += narrator.take(event(visit, "job.warning", f"lr·P is {largest}", **data))
    said += narrator.take(event(9, "job.warning", "torch '1', now '2'", code="environment_changed", visit_index=None))
    said += narrator.take(event(9, "job.warning", "torch '2', now '3'", code="environment_changed", visit_index=None))
    assert said == [
        "warning: lr·P is 3.1 (explicit_step_unstable)",
        "warning: the same of visit 1 as of visit 0 (explicit_step_unstable)",
        "warning: the same of visit 2 as of visit 0 (explicit_step_unstable)",
        "warning: torch '1', now '2' (environment_changed)",
        "warning: torch '2', now '3' (environment_changed)",
    ]


def test_a_game_that_has_not_been_played_is_no_part_of_the_mean() -> None:
    narrator = Narrator("score")
    narrator.take(event(1, "visit.started", visit_index=0, task_index=1, task="pong", num_steps=9))
    narrator.take(event(2, "evaluation.completed", after_visit=0, method="ewc", scores={"0": -1.0, "1": 0.5}))
    assert narrator.take(event(3, "visit.finished", visit_index=0, num_steps=9)) == [
        "visit 0  pong  mean score over 1 task: ewc 50.0 %"
    ]


def test_why_a_job_failed_is_left_to_who_tells_of_its_end() -> None:
    assert Narrator().take(event(1, "job.failed", "the file 'a.npz' is gone", code="dataset_unavailable")) == []


def test_the_units_of_a_job_without_visits_are_followed() -> None:
    narrator, seen = Narrator(), []
    for step in (1, 4, 9):
        assert narrator.take(event(step, "job.progress", step=step, num_steps=9)) == []
        assert narrator.visit is not None
        seen.append((narrator.visit, narrator.visit.step))
    assert [step for _, step in seen] == [1, 4, 9]
    assert all(visit is seen[0][0] for visit, _ in seen), "one bar, not one per event"
    assert progress._stage(seen[0][0]) == (9, 9, "units")


def test_scores_that_are_no_accuracies_are_not_called_so() -> None:
    narrator = Narrator("R²")
    lines = [line for each in one_visit() for line in narrator.take(each)]
    assert "mean R² over 1 task: ewc 97.0 %" in lines[-1]


def test_a_warning_is_yellow_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    body = {"seq": 1, "level": "warn", "type": "job.warning", "message": "no", "data": {"code": "c"}, "at": ""}
    progress._follow_in_lines(iter([Event.from_body(body)]), console, "ewc", Narrator())
    file = console.file
    assert isinstance(file, io.StringIO)
    assert "\x1b[33mwarning: no (c)" in file.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_lines_are_the_same_with_and_without_a_terminal(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, highlight=False)
    show = progress._follow_on_terminal if terminal else progress._follow_in_lines
    show(one_visit(), console, "ewc", Narrator())
    file = console.file
    assert isinstance(file, io.StringIO)
    assert "visit 0  digits-permutation-0  mean accuracy over 1 task: ewc 97.0 %  naive 96.0 %" in file.getvalue()
    assert ("\x1b" in file.getvalue()) is terminal


def test_what_was_read_is_told_in_a_line_for_each_kind_of_data() -> None:
    lines = ["data of tasks 0-2: 32 training examples", "data of task 3: 8 training examples"]
    assert Narrator().take(event(1, "data.read", "; ".join(lines), lines=lines)) == lines


def test_lines_of_progress_come_when_there_is_something_new(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 11))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(clock)))
    events = [event(1, "visit.started", visit_index=0, task_index=0, task="t", num_steps=100)]
    events += [event(2, "visit.progress", visit_index=0, task_index=0, step=40, num_steps=100, losses={})]
    events += [event(seq, "fisher.progress", visit_index=0, num_done=457, num_examples=3200) for seq in range(3, 11)]
    events += [event(11, "fisher.progress", visit_index=0, num_done=3200, num_examples=3200)]
    events += [event(seq, "evaluation.completed", after_visit=0, method="ewc", scores={"0": 0.9}) for seq in range(12, 20)]
    console = Console(file=io.StringIO(), width=100)
    progress._follow_in_lines(iter(events), console, "ewc", Narrator())
    file = console.file
    assert isinstance(file, io.StringIO)
    assert file.getvalue().splitlines() == [
        "visit 0  t: 40 of 100",
        "visit 0  t  Fisher: 457 of 3200",
        "visit 0  t  Fisher: 3200 of 3200",
    ]


@pytest.mark.parametrize(
    ("num_before", "has_worker", "said"),
    [
        (0, True, "queued: it is next"),
        (1, True, "queued: 1 job is before it"),
        (3, True, "queued: 3 jobs are before it"),
        (0, False, "queued: it is next, and no worker is running"),
    ],
)
def test_a_queued_job_says_its_place_once_until_it_changes(
    service: Service, client: EWCClient, monkeypatch: pytest.MonkeyPatch, num_before: int, has_worker: bool, said: str
) -> None:
    spec = {"method": {"kind": "naive"}, "tasks": [{"dataset": "digits"}]}
    before = [client.jobs.create(spec) for _ in range(num_before)]
    job = client.jobs.create(spec)
    if has_worker:
        with service.database.write() as work:
            work.workers.beat("worker-1", hostname="host", pid=1, queue="cpu", slots=1)
    asked, request = list[str](), job._transport.request

    def cancel_the_third_time(method: str, path: str, **options: Any) -> httpx.Response:
        asked.append(path)
        if asked.count(f"/v1/jobs/{job.id}") == 3:
            request("POST", f"/v1/jobs/{job.id}/cancel")
        return request(method, path, **options)

    monkeypatch.setattr(stream, "FIRST_HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(job._transport, "request", cancel_the_third_time)
    console = Console(file=io.StringIO(), width=200)
    progress.follow(job, console=console)
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = file.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(said)
    assert asked[:3] == [f"/v1/jobs/{job.id}"] * 3, "one request for a silence"
    assert [other.refresh().queue_position for other in (*before, job)] == [*range(1, num_before + 1), None]
