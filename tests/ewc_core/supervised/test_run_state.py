"""A run's memory as tensors."""

from __future__ import annotations

import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.supervised.run_state import RunState

STATE = RunState(
    latest_task=0,
    weights={1: 0.5},
    largest_share=0.25,
    learners={"ewc": {"parameters": torch.arange(3.0)}, "naive": {"parameters": torch.zeros(3)}},
    stopping={"best_score": torch.tensor(0.5)},
)


def test_it_comes_back_as_it_was() -> None:
    again = RunState.from_tensors(STATE.to_tensors(), methods=["ewc", "naive"])
    assert (again.latest_task, again.weights, again.largest_share) == (0, {1: 0.5}, 0.25)
    assert torch.equal(again.learners["ewc"]["parameters"], torch.arange(3.0))
    assert set(again.stopping) == {"best_score"}


def test_a_fresh_run_has_neither_latest_task_nor_share() -> None:
    fresh = RunState(None, {}, None, {"ewc": {}}, {})
    again = RunState.from_tensors(fresh.to_tensors(), methods=["ewc"])
    assert (again.latest_task, again.weights, again.largest_share) == (None, {}, None)


def test_a_missing_part_is_named() -> None:
    tensors = {key: tensor for key, tensor in STATE.to_tensors().items() if key != "constraint_weights"}
    with pytest.raises(StateFormatError, match="constraint_weights"):
        RunState.from_tensors(tensors, methods=["ewc", "naive"])


def test_methods_that_are_not_there_are_refused() -> None:
    with pytest.raises(StateFormatError, match="no method of"):
        RunState.from_tensors(STATE.to_tensors(), methods=["ewc"])
