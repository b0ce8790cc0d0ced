"""Early stopping keeps the best epoch."""

from __future__ import annotations

import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.supervised.early_stopping import EarlyStopping


def _noted(scores: list[float], patience: int = 2) -> EarlyStopping:
    stopping = EarlyStopping(patience)
    for epoch, score in enumerate(scores):
        stopping.note_epoch(score, torch.full((3,), float(epoch)))
    return stopping


def test_it_is_over_after_as_many_epochs_below_the_best_as_patience_says() -> None:
    assert not _noted([0.5, 0.6, 0.55]).is_over
    assert _noted([0.5, 0.6, 0.55, 0.59]).is_over
    assert not _noted([0.5, 0.6, 0.55, 0.61]).is_over


def test_a_tie_is_no_better_and_the_best_values_stay() -> None:
    stopping = _noted([0.6, 0.6, 0.6])
    assert stopping.is_over
    assert stopping.best_values is not None
    assert stopping.best_values.tolist() == [0.0] * 3


def test_the_noted_values_are_copies() -> None:
    stopping, values = EarlyStopping(1), torch.zeros(2)
    stopping.note_epoch(0.5, values)
    values.add_(1.0)
    assert stopping.best_values is not None
    assert stopping.best_values.tolist() == [0.0, 0.0]


def test_its_state_goes_on_where_it_was() -> None:
    again = EarlyStopping(2)
    again.load_state(_noted([0.5, 0.6, 0.55]).state())
    again.note_epoch(0.58, torch.zeros(3))
    assert again.is_over
    assert again.best_values is not None
    assert again.best_values.tolist() == [1.0] * 3
    untouched = EarlyStopping(2)
    untouched.load_state(EarlyStopping(2).state())
    assert untouched.best_values is None
    with pytest.raises(StateFormatError, match="early stopping state holds"):
        untouched.load_state({"best_score": torch.zeros(())})
