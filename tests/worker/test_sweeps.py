"""Sweeps are moved on by any process, any number of times at once, and the record stays true."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ewc_core.errors import StoreUnavailable
from ewc_core.specs import SweepSpec
from ewc_core.sweep.proposer import propose
from ewc_core.sweep.trials import Trial
from store.job_states import JobStatus
from store.queue import WakeUps
from store.sweep_records import SweepRecord, TrialRecord
from store.unit_of_work import Database
from tests.backends.server_process import free_port
from tests.ewc_core.sweep.specs import BROAD, LAMBDA, choices, sweep
from tests.ewc_core.sweep.test_proposer import run_through
from worker import sweeps
from worker.sweeps import advance, advance_one

pytestmark = pytest.mark.both_engines

OWNER = "alice"


@pytest.fixture
def wake_ups(tmp_path: Path) -> Iterator[WakeUps]:
    """A filesystem broker."""
    wake_ups = WakeUps("filesystem://", tmp_path / "broker")
    yield wake_ups
    wake_ups.close()


def start(database: Database, spec: SweepSpec) -> str:
    """A new sweep."""
    with database.write() as work:
        return work.sweeps.create(spec, owner=OWNER, request_id="req_1").id


def look(database: Database, sweep_id: str) -> tuple[SweepRecord, list[TrialRecord]]:
    """The sweep and its trials."""
    with database.read() as work:
        return work.sweeps.get(sweep_id), work.sweeps.trials(sweep_id)


def end_job(database: Database, job_id: str, *, scores: Mapping[int, float] | None = None, error: str = "diverged") -> None:
    """The job has trained both of its tasks, with these scores after the last visit; or it has failed."""
    with database.write() as work:
        fence = work.leases.claim(job_id, worker_id="wrk_1", ttl_seconds=60)
        assert fence is not None

        def move(to: JobStatus, error: Mapping[str, object] | None = None) -> None:
            work.jobs.transition(job_id, to, reason="test", actor="wrk_1", epoch=fence.epoch, error=error)

        move(JobStatus.RUNNING)
        if scores is None:
            move(JobStatus.FAILED, {"code": "non_finite", "message": error})
        else:
            work.evaluations.put_row(job_id, method="ewc", after_visit=0, scores={0: 1.0}, num_examples={0: 137})
            work.evaluations.put_row(job_id, method="ewc", after_visit=1, scores=scores, num_examples={0: 137, 1: 137})
            move(JobStatus.SUCCEEDED)


def test_the_first_jobs_are_queued_as_the_spec_proposes_them_and_woken(database, wake_ups, tmp_path):
    spec = sweep(name="λ", max_parallel=2)
    sweep_id = start(database, spec)
    queued = advance(database, wake_ups)
    _, trials = look(database, sweep_id)
    first = propose(spec, (), ())
    second = propose(spec, (), [Trial(0, first)])
    assert [(trial.number, trial.status, trial.parameters) for trial in trials] == [(0, "running", first), (1, "running", second)]
    assert [trial.job_id for trial in trials] == queued
    assert len(list((tmp_path / "broker" / "messages").iterdir())) == 1, "one look finds both"
    with database.read() as work:
        job = work.jobs.get(queued[1])
        assert work.queue.due_for_wake_up() == []
    assert (job.owner, job.name, job.request_id) == (OWNER, "λ, trial 1", "req_1")
    assert job.spec.metadata == {"sweep_id": sweep_id, "trial": "1"}
    assert job.spec.method == spec.trial_job(second).method
    assert (job.spec.training.evaluate_on, job.spec.controls) == ("validation", [])


def test_nothing_is_written_while_the_trials_are_trained(database, wake_ups):
    sweep_id = start(database, sweep(max_parallel=1))
    advance(database, wake_ups)
    before = look(database, sweep_id)
    assert advance(database, wake_ups) == []
    assert look(database, sweep_id) == before


def test_a_trial_scores_the_mean_of_its_last_row_and_makes_room_for_the_next(database, wake_ups):
    sweep_id = start(database, sweep(num_trials=2, max_parallel=1))
    [first] = advance(database, wake_ups)
    end_job(database, first, scores={0: 0.5, 1: 0.75})
    [second] = advance(database, wake_ups)
    _, trials = look(database, sweep_id)
    assert [(trial.job_id, trial.status, trial.score) for trial in trials] == [
        (first, "completed", 0.625),
        (second, "running", None),
    ]


def test_a_sweep_ends_with_its_last_trial_and_failed_trials_do_not_matter_to_it(database, wake_ups):
    sweep_id = start(database, sweep(num_trials=3, max_parallel=3))
    good, bad, cancelled = advance(database, wake_ups)
    end_job(database, good, scores={0: 0.5, 1: 0.5})
    end_job(database, bad)
    assert advance(database, wake_ups) == []
    assert look(database, sweep_id)[0].status == "running"
    with database.write() as work:
        work.jobs.transition(cancelled, JobStatus.CANCELLED, reason="cancel_requested", actor=OWNER)
    advance(database, wake_ups)
    record, trials = look(database, sweep_id)
    assert [trial.status for trial in trials] == ["completed", "failed", "failed"]
    assert (record.status, record.error) == ("succeeded", None)
    assert record.finished_at is not None
    assert advance(database, wake_ups) == []


def test_a_sweep_without_any_score_fails_and_says_why_the_last_trial_did(database, wake_ups):
    sweep_id = start(database, sweep(num_trials=2, max_parallel=1))
    [first] = advance(database, wake_ups)
    end_job(database, first)
    [second] = advance(database, wake_ups)
    end_job(database, second, error="the loss is NaN")
    advance(database, wake_ups)
    record, _ = look(database, sweep_id)
    assert (record.status, record.error["code"], record.error["job_id"]) == ("failed", "no_trial_succeeded", second)
    assert record.error["message"] == f"none of 2 trials has a score; the last one was trial 1, job {second}: the loss is NaN"


def retry(database: Database, job_id: str) -> None:
    """As its owner does."""
    with database.write() as work:
        work.sweeps.take_up_again(job_id)
        work.jobs.transition(job_id, JobStatus.QUEUED, reason="retry_requested", actor=OWNER)


def test_a_failed_trial_whose_job_is_retried_counts_after_all_and_its_sweep_ends_anew(database, wake_ups):
    sweep_id = start(database, sweep(num_trials=2, max_parallel=2))
    first, second = advance(database, wake_ups)
    end_job(database, first)
    end_job(database, second)
    advance(database, wake_ups)
    assert look(database, sweep_id)[0].status == "failed"
    retry(database, second)
    record, trials = look(database, sweep_id)
    assert (record.status, record.error, record.finished_at) == ("running", None, None)
    assert [(trial.status, trial.finished_at is None) for trial in trials] == [("failed", False), ("running", True)]
    assert advance(database, wake_ups) == []
    end_job(database, second, scores={0: 0.5, 1: 0.75})
    advance(database, wake_ups)
    record, trials = look(database, sweep_id)
    assert (record.status, [trial.score for trial in trials]) == ("succeeded", [None, 0.625])


def test_a_job_that_is_retried_while_its_trial_is_being_settled_still_counts(database, wake_ups, monkeypatch):
    sweep_id = start(database, sweep(num_trials=1))
    [only] = advance(database, wake_ups)
    end_job(database, only)
    plan = sweeps._plan

    def retried_meanwhile(*arguments):
        retry(database, only)
        return plan(*arguments)

    monkeypatch.setattr(sweeps, "_plan", retried_meanwhile)
    assert advance_one(database, sweep_id) == []
    monkeypatch.undo()
    end_job(database, only, scores={0: 0.5, 1: 0.5})
    advance(database, wake_ups)
    record, [trial] = look(database, sweep_id)
    assert (record.status, trial.status, trial.score) == ("succeeded", "completed", 0.5)


def test_a_search_over_few_settings_ends_before_its_planned_trials(database, wake_ups):
    sweep_id = start(database, sweep({LAMBDA: choices(1, 2)}, num_trials=9, max_parallel=9))
    for job_id in advance(database, wake_ups):
        end_job(database, job_id, scores={0: 0.5, 1: 0.5})
    advance(database, wake_ups)
    record, trials = look(database, sweep_id)
    assert record.status == "succeeded"
    assert sorted(trial.parameters[LAMBDA] for trial in trials) == [1, 2]


def test_processes_that_move_a_sweep_at_the_same_time_make_no_trial_twice(database, wake_ups):
    sweep_id = start(database, sweep(num_trials=6, max_parallel=3))
    together = Barrier(4)

    def move(_: int) -> list[str]:
        together.wait()
        return advance_one(database, sweep_id)

    for expected in ([0, 1, 2], [0, 1, 2, 3, 4, 5]):
        with ThreadPoolExecutor(4) as pool:
            queued = [job_id for jobs in pool.map(move, range(4)) for job_id in jobs]
        assert len(queued) == 3
        _, trials = look(database, sweep_id)
        assert [trial.number for trial in trials] == expected
        with database.read() as work:
            assert len(work.jobs.page(owner=OWNER, limit=100).items) == len(expected)
        for job_id in queued:
            end_job(database, job_id, scores={0: 0.5, 1: 0.5})


def test_a_process_that_dies_in_the_middle_leaves_nothing_and_the_next_one_does_the_same(database, wake_ups, monkeypatch):
    sweep_id = start(database, sweep(max_parallel=2))
    before = look(database, sweep_id)
    labelled = iter([sweeps._labelled])

    def die_at_the_second(*arguments):
        return next(labelled, die)(*arguments)

    def die(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        patched.setattr(sweeps, "_labelled", die_at_the_second)
        with pytest.raises(SystemExit):
            advance(database, wake_ups)
    assert look(database, sweep_id) == before
    with database.read() as work:
        assert work.jobs.page(owner=OWNER, limit=10).items == []
    assert len(advance(database, wake_ups)) == 2


def test_whoever_goes_on_with_the_record_tries_what_the_core_alone_would_have_tried(database, wake_ups):
    spec = sweep({LAMBDA: BROAD[LAMBDA], "training.learning_rate": choices(0.1, 0.01)}, num_trials=4, max_parallel=1)
    sweep_id = start(database, spec)
    for _ in range(4):
        another = Database(database.engine.url.render_as_string(hide_password=False))
        [job_id] = advance_one(another, sweep_id)
        end_job(another, job_id, scores={0: 0.5, 1: 0.5})
        another.close()
    expected = run_through(spec, lambda _: 0.5)
    assert [trial.parameters for trial in look(database, sweep_id)[1]] == [trial.parameters for trial in expected]


def test_without_a_broker_the_jobs_wait_for_the_reaper(database, tmp_path):
    nobody = WakeUps(f"redis://127.0.0.1:{free_port()}/0", tmp_path)
    start(database, sweep(max_parallel=2))
    queued = advance(database, nobody)
    with database.read() as work:
        assert sorted(work.queue.due_for_wake_up()) == sorted(queued)
    nobody.close()


def test_one_sweep_that_cannot_be_moved_on_does_not_hold_up_the_others(database, wake_ups, monkeypatch, caplog):
    broken, sound = start(database, sweep(seed=1)), start(database, sweep(seed=2))

    def propose_or_break(spec, *trials):
        if spec.seed == 1:
            raise RuntimeError("no proposal")
        return propose(spec, *trials)

    monkeypatch.setattr(sweeps, "propose", propose_or_break)
    advance(database, wake_ups)
    assert (len(look(database, broken)[1]), len(look(database, sound)[1])) == (0, 2)
    assert f"sweep {broken} cannot be moved on" in caplog.text


def test_an_unusable_database_is_told_to_the_caller(wake_ups, tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'nowhere' / 'ewc.db'}")
    with pytest.raises(StoreUnavailable):
        advance(database, wake_ups)


def test_a_cancelled_sweep_makes_no_more_trials(database, wake_ups):
    sweep_id = start(database, sweep(max_parallel=1))
    with database.write() as work:
        work.sweeps.finish(sweep_id, "cancelled")
    assert advance(database, wake_ups) == []
    assert advance_one(database, sweep_id) == []
    assert look(database, sweep_id)[1] == []


def test_values_that_make_no_job_together_end_the_sweep_once_its_trials_have_ended(database, wake_ups):
    sweep_id = start(database, sweep(max_parallel=2))
    first, second = advance(database, wake_ups)
    end_job(database, first, scores={0: 0.5, 1: 0.5})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sweeps, "propose", lambda *_: {LAMBDA: -1.0})
        advance(database, wake_ups)
        assert look(database, sweep_id)[0].status == "running"
        end_job(database, second, scores={0: 0.5, 1: 0.5})
        advance(database, wake_ups)
    record, trials = look(database, sweep_id)
    assert (record.status, record.error["code"]) == ("failed", "invalid_spec")
    assert "method.ewc_lambda -1.0 makes no valid job" in record.error["message"]
    assert [trial.status for trial in trials] == ["completed", "completed"]


def test_a_worker_without_sweeps_loads_neither_optuna_nor_torch():
    program = "import worker.sweeps, worker.__main__, sys; print([m for m in ('torch', 'optuna') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_later_trial_is_held_to_the_data_of_the_first(database, wake_ups):
    start(database, sweep(num_trials=2, max_parallel=1))
    [first] = advance(database, wake_ups)
    read = {task: {"digests": [{"name": "digits", "sha256": "ab" * 32}]} for task in range(2)}
    with database.write() as work:
        assert work.tasks.digests(first) == {}
        work.tasks.note_data(first, read)
    end_job(database, first, scores={0: 0.5, 1: 0.75})
    [second] = advance(database, wake_ups)
    with database.read() as work:
        assert work.tasks.noted_data(second) == read
