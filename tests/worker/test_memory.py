"""How many copies of its parameters a trainer has in memory, at most, whatever the number of tasks."""

from __future__ import annotations

from importlib import import_module

import pytest

from store.job_states import JobStatus
from tests.live_storage import LiveStorage
from worker.runner import JobRunner, Outcome

HIDDEN = 700
NUM_PARAMETERS = 64 * HIDDEN + HIDDEN + HIDDEN * HIDDEN + HIDDEN + HIDDEN * 10 + 10
COPY = 4 * NUM_PARAMETERS
LARGE = {
    "network": {"hidden_sizes": [HIDDEN, HIDDEN]},
    "training": {"num_epochs": 1, "batch_size": 300, "optimiser": "adam"},
    "method": {"kind": "ewc", "ewc_lambda": 10.0, "fisher_num_examples": 64, "fisher_estimator": "rademacher"},
    "controls": [],
}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that are as small beside this network as real ones are beside a large one."""
    for name in ("ewc_core.blocks", "ewc_core.consolidation.merge"):
        monkeypatch.setattr(import_module(name), "BLOCK", 2**14)
    monkeypatch.setattr("ewc_core.consolidation.quadratic.KEEPS_STRENGTHS", 2**14)


def _job(num_tasks: int) -> dict[str, object]:
    return {**LARGE, "tasks": [{"dataset": "digits", "permutation": index} for index in range(num_tasks)]}


@pytest.mark.parametrize("num_tasks", [2, 4])
def test_a_job_with_adam_and_ewc_has_eight_copies_of_its_parameters_at_most(
    database, settings, claim, small_blocks, num_tasks
) -> None:
    """A resume point is kept after every step here."""
    with LiveStorage(smallest_bytes=int(0.8 * COPY)) as live:
        assert JobRunner(database, settings, claim(**_job(num_tasks))).run() is Outcome.SETTLED
    assert live.peak_bytes <= 8 * COPY, f"{live.peak_bytes / COPY:.2f} copies at {live.peak_at}"


def test_a_job_that_goes_on_has_eight_copies_of_its_parameters_at_most(database, settings, claim, small_blocks) -> None:
    fence = claim(**_job(3))
    _stop_in_visit(2, JobRunner(database, settings, fence))
    with database.write() as work:
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    with LiveStorage(smallest_bytes=int(0.8 * COPY)) as live:
        assert JobRunner(database, settings, claim(fence.job_id)).run() is Outcome.SETTLED
    assert live.peak_bytes <= 8 * COPY, f"{live.peak_bytes / COPY:.2f} copies at {live.peak_at}"


def _stop_in_visit(index: int, runner: JobRunner) -> None:
    after_step = runner._after_step

    def stop(run, event):
        if event.visit.index == index:
            runner.stop()
        after_step(run, event)

    runner._after_step = stop
    assert runner.run() is Outcome.STOPPED
