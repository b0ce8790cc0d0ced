"""Tasks as lineages of the Forget-Me-Not process."""

from __future__ import annotations

import numpy as np

from ewc_core.specs.task_inference import FmnInference
from ewc_core.task_inference.fmn_recogniser import FmnRecogniser
from tests.ewc_core.task_inference.synthetic_games import Games


def _fmn(games: Games, **fields: object) -> FmnRecogniser:
    spec = FmnInference.model_validate({"kind": "fmn", "min_level": 4, **fields})
    return FmnRecogniser(spec, num_symbols=games.num_symbols, num_levels=games.num_levels, seed=0)


def _labels(recogniser: FmnRecogniser, games: Games, order: list[int], length: int) -> np.ndarray:
    return np.array([[recogniser.step(symbols) for _, symbols in games.play([game], length)] for game in order], dtype=float)


def test_a_task_is_found_when_a_second_segment_is_full_of_it_and_recalled_at_once() -> None:
    games = Games(2)
    labels = _labels(_fmn(games, debounce=1), games, [0, 1, 0], 64)
    assert np.isnan(labels[0, :16]).all()
    assert (labels[0, 16:] == 0).all()
    assert labels[1].tolist() == [0.0] * 32 + [1.0] * 32
    assert (labels[2] == 0).all()


def test_longer_segments_for_the_pool_find_tasks_later() -> None:
    late = []
    for min_level in (3, 5):
        games = Games(2)
        late.append(_labels(_fmn(games, min_level=min_level, debounce=1), games, [0, 1], 128)[1].tolist().index(1.0))
    assert late == [2 * 2**3, 2 * 2**5]


def test_labels_keep_their_meaning_beyond_the_end_of_a_tree() -> None:
    games = Games(3)
    recogniser = _fmn(games, depth=6)
    labels = _labels(recogniser, games, [0, 1, 2, 1, 0, 2], 150)
    assert recogniser.num_tasks == 3
    assert labels[:, -1].tolist() == [0, 1, 2, 1, 0, 2]


def test_a_pool_with_room_for_every_task_forgets_none() -> None:
    games = Games(6, num_symbols=100)
    recogniser = _fmn(games, pool_size=8)
    order = [0, 1, 2, 3, 4, 5]
    _labels(recogniser, games, order, 128)
    assert recogniser.num_tasks == 6
    assert _labels(recogniser, games, order, 128)[:, -1].tolist() == order
    assert recogniser.num_tasks == 6


def test_a_pool_that_is_too_small_finds_a_forgotten_task_anew() -> None:
    games = Games(3, num_symbols=100)
    recogniser = _fmn(games, pool_size=1)
    labels = _labels(recogniser, games, [0, 1, 2, 0], 256)
    assert labels[:, -1].tolist() != [0, 1, 2, 0]
    assert recogniser.identify([games.observe(0)]) == labels[-1, -1]
