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
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that are as small beside this network as real ones are beside a large one."""
    for name in ("ewc_core.blocks", "ewc_core.consolidation.merge"):
        monkeypatch.setattr(import_module(name), "BLOCK", 2**14)
    for name in ("KEEPS_STRENGTHS", "KEEPS_WEIGHT"):
        monkeypatch.setattr(f"ewc_core.consolidation.quadratic.{name}", 2**14)
    monkeypatch.setattr("worker.runner.SHARE_OF_POINTS", 0)  # a resume point after every step, however long it takes


def _job(num_tasks: int) -> dict[str, object]:
    return {**LARGE, "tasks": [{"dataset": "digits", "permutation": index} for index in range(num_tasks)]}


@pytest.mark.parametrize("num_tasks", [2, 4])
def test_a_job_with_adam_and_ewc_has_seven_copies_of_its_parameters_at_most(
    database, settings, claim, as_if_large, num_tasks
) -> None:
    with LiveStorage(smallest_bytes=int(0.8 * COPY)) as live:
        assert JobRunner(database, settings, claim(**_job(num_tasks))).run() is Outcome.SETTLED
    assert live.peak_bytes <= 7.2 * COPY, f"{live.peak_bytes / COPY:.2f} copies at {live.peak_at}"


@pytest.mark.parametrize("has_point", [True, False], ids=["its resume point", "its last snapshot"])
def test_a_job_that_goes_on_has_seven_copies_of_its_parameters_at_most(database, settings, claim, as_if_large, has_point) -> None:
    fence = claim(**_job(3))
    rare = settings.model_copy(update={"resume_seconds": 86400})
    _kill_in_visit(2, JobRunner(database, settings if has_point else rare, fence))
    with database.write() as work:
        assert (work.resume_points.get(fence.job_id) is not None) == has_point
        work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_lost", actor="tests", epoch=fence.epoch)
        work.leases.release(fence)
    with LiveStorage(smallest_bytes=int(0.8 * COPY)) as live:
        assert JobRunner(database, settings, claim(fence.job_id)).run() is Outcome.SETTLED
    assert live.peak_bytes <= 7.2 * COPY, f"{live.peak_bytes / COPY:.2f} copies at {live.peak_at}"


class _Killed(BaseException):
    """What stands for the death of a process."""


def _kill_in_visit(index: int, runner: JobRunner) -> None:
    after_step = runner._after_step

    def kill(run, event):
        after_step(run, event)
        if event.visit.index == index:
            raise _Killed

    runner._after_step = kill
    with pytest.raises(_Killed):
        runner.run()
