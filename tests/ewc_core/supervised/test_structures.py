"""Whatever a network is built of, looking at it changes nothing: λ = 0 is plain training, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ewc_core.events import Warned
from ewc_core.specs import SupervisedSpec
from tests.ewc_core.supervised import structures
from tests.ewc_core.supervised.jobs import Interrupted, digests, learn_all, of_type, visit_of
from tests.ewc_core.supervised.structures import STRUCTURES

EWC: dict[str, Any] = {"kind": "ewc", "ewc_lambda": 0.0, "fisher_num_examples": 5}
MAS: dict[str, Any] = {"kind": "mas", "strength": 0.0, "num_examples": 5}
OTHERS: list[dict[str, Any]] = [
    {"kind": "online_ewc", "ewc_lambda": 0.0, "fisher_num_examples": 5, "fisher_estimator": "rademacher"},
    {"kind": "si", "strength": 0.0},
    {"kind": "l2", "ewc_lambda": 0.0},
]


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "offered-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offered\nVersion: 1.0\n")
    offered = structures.__name__
    (info / "entry_points.txt").write_text(
        f"[ewc.networks]\nnetwork = {offered}:network\n[ewc.task_sources]\ntiny = {offered}:tiny\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def _job(structure: str, method: dict[str, Any], **changes: Any) -> SupervisedSpec:
    dataset = {"kind": "plugin", "name": "tiny"}
    return SupervisedSpec.model_validate(
        {
            "method": method,
            "controls": ["naive"],
            "network": {"kind": "plugin", "name": "network", "options": {"structure": structure}},
            "training": {"optimiser": "adam", "learning_rate": 0.02, "batch_size": 12},
            "tasks": [{"kind": "permuted", "dataset": dataset, "permutation": index} for index in range(2)],
            **changes,
        }
    )


@pytest.mark.parametrize("structure", STRUCTURES)
def test_a_penalty_without_force_is_plain_training_bit_for_bit_killed_or_not(structure: str) -> None:
    """EWC in one go, MAS from bytes in the middle of its second visit."""
    run, events = learn_all(_job(structure, EWC), (0, 1))
    other = Interrupted(_job(structure, MAS, controls=[]), (0, 1), {3})
    assert other.num_restores == 1
    assert len({*digests(run).values(), *digests(other.run).values()}) == 1
    unmade = [event.message for event in of_type(events, Warned, lambda event: event.code != "penalty_without_effect")]
    if structure == "checkpointed_reentrantly":
        unmade = [message for message in unmade if "the capacity used could not be made" not in message]
    assert unmade == []


@pytest.mark.parametrize("method", OTHERS, ids=lambda method: method["kind"])
def test_so_it_is_for_the_other_methods(method: dict[str, Any]) -> None:
    for structure in ("two_names", "gru_under_two_names"):
        run, _ = learn_all(_job(structure, method), (0, 1, 0))
        assert len(set(digests(run).values())) == 1


def test_a_module_under_two_names_goes_on_learning_after_its_fisher() -> None:
    """Not only equal to a control that suffers the same: its weights move in every visit."""
    spec = _job("two_names", {**EWC, "ewc_lambda": 1.0})
    run, _ = learn_all(spec, (0,))
    before = run.weights("ewc")["first.weight"]
    for _ in run.learn(visit_of(spec, 1, 1)):
        pass
    assert not torch.equal(before, run.weights("ewc")["first.weight"])
