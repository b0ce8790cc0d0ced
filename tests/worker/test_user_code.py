"""A job whose plug-in or environment fails says so, by name and line, and that trying again does not help."""

from __future__ import annotations

from pathlib import Path

import pytest

from ewc_core.specs import ReinforcementSpec
from store.job_states import JobStatus
from tests.ewc_core.reinforcement import jobs as games
from tests.ewc_core.reinforcement.environments import offered
from tests.ewc_core.supervised import plugins
from worker.runner import JobRunner, Outcome


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[ewc.networks]\nown = {plugins.__name__}:network\n[ewc.task_sources]\nrows = {plugins.__name__}:regression\n"
        f"[gymnasium.envs]\nworkers_grid = {offered.__name__}:register\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def _failed(database, settings, fence):
    assert JobRunner(database, settings, fence).run() is Outcome.SETTLED
    with database.read() as work:
        job = work.jobs.get(fence.job_id)
    assert job.status is JobStatus.FAILED
    assert job.error["retryable"] is False
    assert "/" not in job.error["message"].replace("workers_grid/", "")
    assert "Traceback" not in job.error["message"]
    return job.error


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("squeezing", "its forward returned torch.float32 of shape [3], expected torch.float32 of shape [3, 1]; it drops"),
        ("late", "its forward raised KeyError: 'no entry for large outputs' (plugins.py, line "),
        ("late_backward", "its backward pass raised ArithmeticError: too large to differentiate (plugins.py, line "),
        ("no_such_option", "raised KeyError: 'no_such_option' (plugins.py, line "),
    ],
)
def test_a_network_that_fails_at_take_up_or_later_fails_the_job_as_the_plug_ins_fault(database, settings, claim, which, said):
    fence = claim(
        network={"kind": "plugin", "name": "own", "options": {"which": which}},
        training={"batch_size": 16, "num_epochs": 30, "learning_rate": 0.02},
        tasks=[{"kind": "plain", "dataset": {"kind": "plugin", "name": "rows", "options": {"n": 49}}}],
    )
    error = _failed(database, settings, fence)
    assert error["code"] == "plugin_failed"
    assert error["message"].startswith("plug-in network 'own'")
    assert said in error["message"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"what": "reward_nan"}, "its step() returned reward nan, expected a finite number"),
        ({"what": "step", "after": 15}, "raised IndexError: off the grid (offered.py, line "),
        ({"what": "leaves", "after": 15}, "raised SystemExit: 0 (offered.py, line "),
    ],
)
def test_an_environment_that_fails_at_take_up_or_later_fails_the_job_as_its_fault(database, settings, options, said):
    task = {"kind": "gymnasium", "id": "workers_grid/Broken-v0", "options": options}
    spec: ReinforcementSpec = games.job(tasks=[task], visits=(0,), num_steps=200, controls=[])
    with database.write() as work:
        job_id = work.jobs.create(spec, owner="tests").id
        fence = work.leases.claim(job_id, worker_id="worker-1", ttl_seconds=60)
    error = _failed(database, settings, fence)
    assert error["code"] == "environment_failed"
    assert error["message"].startswith("environment 'workers_grid/Broken-v0': ")
    assert said in error["message"]
