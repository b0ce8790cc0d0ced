"""Where an attempt runs, and what is said when the next one runs elsewhere."""

from __future__ import annotations

import platform
import socket
from importlib.metadata import version

import pytest
import torch
from sqlalchemy import delete

from ewc_core.specs import ReinforcementSpec, SupervisedSpec
from store.job_states import JobStatus
from store.tables import AttemptRow
from tests.worker.conftest import SPEC
from worker import fingerprint as fingerprints
from worker.fingerprint import differences, fingerprint, note_attempt
from worker.runner import JobRunner

HERE = fingerprint(SupervisedSpec.model_validate(SPEC))
X86 = """processor\t: 0
vendor_id\t: GenuineIntel
model\t\t: 85
model name\t: Xeon
flags\t\t: fpu avx2 fma avx

processor\t: 1
model name\t: Other
"""
ARM = """processor\t: 0
Features\t: fp asimd sve
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""


def _warnings(database, job_id):
    with database.read() as work:
        return [event for event in work.events.page(job_id, limit=1000) if event.type == "job.warning"]


@pytest.fixture
def again(database, claim):
    """Give a claimed job back to the queue, and claim it for its next attempt."""

    def _again(fence):
        with database.write() as work:
            work.jobs.transition(fence.job_id, JobStatus.QUEUED, reason="worker_stopping", actor="tests", epoch=fence.epoch)
            work.leases.release(fence)
        return claim(fence.job_id)

    return _again


def _run_for_a_step(database, settings, fence):
    runner = JobRunner(database, settings, fence)
    runner.stop()
    runner.run()


def test_it_names_processor_threads_and_all_that_computes():
    assert HERE["torch"] == torch.__version__
    assert HERE["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert HERE["python"] == platform.python_version()
    assert HERE["num_threads"] == "1"
    assert {name: HERE[name] for name in ("numpy", "scikit-learn", "gymnasium", "ale-py")} == {
        name: version(name) for name in ("numpy", "scikit-learn", "gymnasium", "ale-py")
    }
    assert HERE["cpu"]
    assert HERE["numpy_blas"]


def test_it_names_neither_the_host_nor_its_paths(monkeypatch):
    monkeypatch.setenv("EWC_DATABASE_URL", "postgresql://user:hunter2@db/ewc")
    text = str(fingerprint(SupervisedSpec.model_validate(SPEC)))
    assert socket.gethostname() not in text
    assert "/" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("cpuinfo", "cpu", "features"),
    [(X86, "GenuineIntel 85 Xeon", "avx avx2 fma"), (ARM, "0x41 0xd40", "asimd sve"), ("", platform.processor(), "")],
)
def test_the_processor_is_the_first_that_linux_lists(cpuinfo, cpu, features):
    assert fingerprints._processor(cpuinfo) == {"cpu": cpu, "cpu_features": features}


def test_packages_of_plugins_in_use_are_named_and_no_others(tmp_path, monkeypatch):
    for name, point in (("used-plugin", "[ewc.networks]\nmine = mine:make\n"), ("other", "[ewc.task_sources]\nother = o:o\n")):
        folder = tmp_path / f"{name.replace('-', '_')}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (folder / "entry_points.txt").write_text(point)
    monkeypatch.syspath_prepend(tmp_path)
    spec = SupervisedSpec.model_validate({**SPEC, "network": {"kind": "plugin", "name": "mine"}})
    announced = {"kind": "plain", "dataset": {"kind": "plugin", "name": "other"}}
    assert [name for name in fingerprint(spec) if name.startswith("package")] == ["package used-plugin"]
    assert fingerprint(spec, [announced]).items() >= {"package used-plugin": "1.5", "package other": "1.5"}.items()


def test_what_cannot_be_found_out_is_left_out(monkeypatch, caplog):
    def broken():
        raise OSError("no such processor")

    monkeypatch.setattr(fingerprints, "_machine", broken)
    found = fingerprint(SupervisedSpec.model_validate(SPEC))
    assert set(HERE) - set(found) == {"architecture", "cpu", "cpu_capability", "cpu_features", "libc", "python", "system"}
    assert "no such processor" in caplog.text


def test_only_what_is_known_of_both_can_differ():
    assert differences({"torch": "1", "minatar": "1"}, {"torch": "2", "package x": "1"}) == {"torch": ("1", "2")}


def test_attempts_in_one_environment_are_recorded_without_a_word(database, settings, claim, again):
    fence = claim()
    _run_for_a_step(database, settings, fence)
    _run_for_a_step(database, settings, again(fence))
    with database.read() as work:
        attempts = work.attempts.of_job(fence.job_id)
    assert [(attempt.attempt, attempt.epoch, attempt.environment) for attempt in attempts] == [(1, 1, HERE), (2, 2, HERE)]
    assert _warnings(database, fence.job_id) == []


def test_an_attempt_elsewhere_says_what_changed(database, settings, claim, again, monkeypatch):
    fence = claim()
    _run_for_a_step(database, settings, fence)
    fence = again(fence)
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    _run_for_a_step(database, settings, fence)
    (event,) = _warnings(database, fence.job_id)
    assert event.level == "warn"
    assert event.data == {
        "code": "environment_changed",
        "visit_index": None,
        "previous_attempt": 1,
        "changes": {"MKL_CBWR": {"from": "", "to": "COMPATIBLE"}},
    }
    assert "MKL_CBWR '', now 'COMPATIBLE'" in event.message


def test_the_attempt_before_is_the_one_to_compare_with(database, claim, again):
    fence = claim()
    for environment in ({"torch": "1"}, {"torch": "2"}, {"torch": "2"}, {"torch": "1"}):
        note_attempt(database, fence, environment)
        fence = again(fence)
    assert [event.data["previous_attempt"] for event in _warnings(database, fence.job_id)] == [1, 3]


def test_a_job_that_goes_on_from_state_of_before_attempts_were_kept_says_that_its_bits_may_differ(
    database, settings, claim, again
):
    fence = claim()
    _run_for_a_step(database, settings, fence)
    with database.write() as work:
        work.connection.execute(delete(AttemptRow))
    _run_for_a_step(database, settings, again(fence))
    (event,) = _warnings(database, fence.job_id)
    assert event.data == {"code": "environment_unknown", "visit_index": None}


def test_a_job_whose_attempts_before_left_nothing_goes_on_without_a_word(database, settings, claim, again):
    fence = again(claim())
    _run_for_a_step(database, settings, fence)
    with database.read() as work:
        assert [attempt.attempt for attempt in work.attempts.of_job(fence.job_id)] == [2]
    assert _warnings(database, fence.job_id) == []


def test_games_name_the_packages_that_offer_environments(tmp_path, monkeypatch):
    folder = tmp_path / "my_games-3.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: my-games\nVersion: 3\n")
    (folder / "entry_points.txt").write_text("[gymnasium.envs]\n__root__ = my_games:register\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [8]},
            "agent": {"preset": "small"},
            "method": {"kind": "naive"},
            "tasks": [{"kind": "gymnasium", "id": "my/Game-v0"}],
            "schedule": {"kind": "explicit", "num_steps": 100, "visits": [{"task": 0}]},
        }
    )
    assert fingerprint(spec)["package my-games"] == "3"
