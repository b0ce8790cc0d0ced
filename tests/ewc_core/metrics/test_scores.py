"""The registry of scores."""

from __future__ import annotations

from typing import get_args

import pytest

from ewc_core.implementations import implementation
from ewc_core.metrics import SCORES, ScoreName


def test_every_name_has_an_entry_and_every_entry_a_function_that_measures_it() -> None:
    assert tuple(SCORES) == get_args(ScoreName)
    for name, score in SCORES.items():
        assert score.name == name
        assert callable(implementation(score.measure))


def test_chance_is_one_choice_of_so_many_or_a_number_of_the_scale() -> None:
    assert SCORES["accuracy"].chance_among(10) == pytest.approx(0.1)
    assert SCORES["accuracy"].chance_among(None) is None
    assert (SCORES["r2"].chance_among(None), SCORES["normalised"].chance_among(None)) == (0.0, 0.0)
    assert SCORES["return"].chance_among(None) is None
