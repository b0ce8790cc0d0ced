"""What a job will do with a plug-in's network is tried when the job is taken up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ewc_core.consolidation import weights_sha256
from ewc_core.errors import JobTooLarge, PluginFailed
from ewc_core.events import Warned
from ewc_core.specs import SupervisedSpec
from ewc_core.specs.limits import JobLimits
from ewc_core.supervised import run
from ewc_core.supervised.check import look
from ewc_core.supervised.problem import SupervisedProblem
from tests.ewc_core.checking.stored import Stored
from tests.ewc_core.supervised import plugins
from tests.ewc_core.supervised.jobs import begin, learn_all, visit_of


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    points = f"[ewc.networks]\nown = {plugins.__name__}:network\n[ewc.task_sources]\nrows = {plugins.__name__}:regression\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))


def _job(which: str, *sizes: int, **changes: Any) -> SupervisedSpec:
    body: dict[str, Any] = {
        "network": {"kind": "plugin", "name": "own", "options": {"which": which}},
        "method": {"kind": "ewc", "ewc_lambda": 1.0},
        "training": {"batch_size": 16, "num_epochs": 30, "learning_rate": 0.02, "optimiser": "adam"},
        "tasks": [
            {"kind": "plain", "dataset": {"kind": "plugin", "name": "rows", "options": {"n": n, "seed": seed}}}
            for seed, n in enumerate(sizes)
        ],
    }
    return SupervisedSpec.model_validate({**body, **changes})


def test_a_last_minibatch_of_one_is_tried_before_the_first_step() -> None:
    with pytest.raises(PluginFailed) as refused:
        begin(_job("squeezing", 49))
    message = str(refused.value)
    assert message.startswith(
        "plug-in network 'own': for inputs of shape [3, 3] in train mode its forward returned torch.float32"
    )
    assert message.endswith(
        "of shape [3], expected torch.float32 of shape [3, 1]; it drops dimensions of size 1: give squeeze() "
        "a dimension, or use flatten(1)"
    )


def test_a_network_that_is_too_large_is_not_tried_and_its_passes_count() -> None:
    bad, good = _job("squeezing", 49), _job("good", 49)
    with pytest.raises(JobTooLarge):
        SupervisedProblem(bad, data_dir=None, limits=JobLimits(memory_bytes=1))
    looks = [look(spec, Stored(limits=JobLimits(disk_bytes=1))) for spec in (bad, good)]
    assert [[error.code for error in found.mistakes] for found in looks] == [["job_too_large"]] * 2
    with pytest.raises(PluginFailed):
        SupervisedProblem(bad, data_dir=None, limits=JobLimits(memory_bytes=2**40))
    few, many = (look(_job("good", n), Stored()).size for n in (1, 16))
    assert few is not None
    assert many is not None
    assert many.memory_bytes > few.memory_bytes + 16 * 3


@pytest.mark.parametrize(("sizes", "controls", "found"), [((32,), (), 16), ((20, 10), (), 10), ((8, 8), ("joint",), 16)])
def test_the_sizes_of_first_and_last_minibatches_of_every_task_and_of_the_joint_control_are_tried(
    sizes: tuple[int, ...], controls: tuple[str, ...], found: int
) -> None:
    with pytest.raises(PluginFailed, match=rf"inputs of shape \[{found}, 3\] in train mode.*{found} examples are not") as refused:
        begin(_job("two_sizes", *sizes, controls=list(controls)))
    assert re.search(r"\(plugins\.py, line \d+\)$", str(refused.value))


def test_noise_that_shows_in_whole_minibatches_only_is_found() -> None:
    with pytest.raises(PluginFailed, match=r"in train mode its forward changes .*global '_GENERATOR' of plugins"):
        begin(_job("noisy_on_whole_minibatches", 49))


@pytest.mark.parametrize("method", ["ewc", "online_ewc", "mas", "si", "l2", "naive"])
def test_trying_the_network_out_changes_no_bit_of_the_job(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"ewc_lambda": 5.0} if method in ("ewc", "online_ewc", "l2") else {}
    spec = _job("good", 20, 10, method={"kind": method, **extra}, training={"batch_size": 16})
    tried = weights_sha256(learn_all(spec, (0, 1, 0))[0].weights(method))
    monkeypatch.setattr("ewc_core.supervised.problem.rehearse", lambda *_: [])
    assert weights_sha256(learn_all(spec, (0, 1, 0))[0].weights(method)) == tried


@pytest.mark.parametrize("method", [{"kind": "ewc", "ewc_lambda": 1.0}, {"kind": "mas"}])
def test_a_network_that_vmap_cannot_trace_is_learned_from(method: dict[str, Any]) -> None:
    run, _ = learn_all(_job("branching", 20, method=method, training={"batch_size": 16}), order=(0,))
    assert run.visit_index == 1


@pytest.mark.parametrize(
    ("which", "said"),
    [
        (
            "late",
            r"for inputs of shape \[\d+, 3\] in train mode its forward raised KeyError: 'no entry for large outputs' \(plug",
        ),
        ("late_shape", r"its forward returned torch\.float32 of shape \[16\], expected torch\.float32 of shape \[16, 1\]"),
        ("late_backward", r"its backward pass raised ArithmeticError: too large to differentiate \(plugins\.py, line \d+\)$"),
    ],
)
def test_an_error_of_the_network_in_the_middle_of_training_is_the_plug_ins(which: str, said: str) -> None:
    spec = _job(which, 49)
    job = begin(spec)
    with pytest.raises(PluginFailed, match=f"plug-in network 'own': .*{said}"):
        list(job.learn(visit_of(spec, 0, 0)))
    assert job.step > 3


@pytest.mark.parametrize(
    ("which", "task", "codes"),
    [
        ("softmax", {"kind": "permuted", "dataset": "digits"}, ["outputs_are_probabilities"]),
        ("log_softmax", {"kind": "permuted", "dataset": "digits"}, []),
        ("rescaled", {"kind": "permuted", "dataset": "digits"}, []),
        ("good", {"kind": "permuted", "dataset": "digits"}, []),
        ("softmax", {"kind": "plain", "dataset": {"kind": "plugin", "name": "rows", "options": {"n": 40}}}, []),
    ],
)
def test_a_network_that_ends_in_a_softmax_is_warned_of_once(which: str, task: dict[str, Any], codes: list[str]) -> None:
    spec = _job(which, tasks=[task, task], method={"kind": "naive"}, training={"batch_size": 800})
    _, events = learn_all(spec, order=(0, 1))
    assert [event.code for event in events if isinstance(event, Warned)] == codes


def test_an_error_of_ours_is_not_blamed_on_the_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr("ewc_core.supervised.learner.mean_loss", broken)
    with pytest.raises(RuntimeError, match="ours"):
        list(run(_job("good", 20)))
