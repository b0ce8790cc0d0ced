"""The hidden Markov model over tasks, as the paper's supplement has it."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.specs.task_inference import FlatInference
from ewc_core.task_inference.flat import FlatRecogniser
from tests.ewc_core.task_inference.synthetic_games import Games

ORDER = [0, 1, 2, 0, 3, 1, 2, 3, 0]
AS_THE_PAPER = {"new_task_windows": 1, "debounce": 1}


def _flat(games: Games, **fields: object) -> FlatRecogniser:
    spec = FlatInference.model_validate({"kind": "flat", **fields})
    return FlatRecogniser(spec, num_symbols=games.num_symbols, num_levels=games.num_levels)


def _labels(recogniser: FlatRecogniser, games: Games, order: list[int], length: int) -> np.ndarray:
    return np.array([[recogniser.step(symbols) for _, symbols in games.play([game], length)] for game in order], dtype=float)


def test_four_games_in_nine_segments_are_found_within_one_window_each() -> None:
    games = Games(4)
    recogniser = _flat(games, **AS_THE_PAPER)
    labels = _labels(recogniser, games, ORDER, 400)
    assert recogniser.num_tasks == 4
    right = labels == np.array(ORDER)[:, None]
    assert right.mean() >= 0.99
    assert right.argmax(axis=1).tolist() == [3] * 9  # the fourth observation ends the window


def test_the_posterior_sums_to_one_at_every_step() -> None:
    games = Games(3)
    recogniser = _flat(games)
    for _, symbols in games.play([0, 1, 2, 0], 37):
        recogniser.step(symbols)
        assert np.exp(recogniser.log_posterior).sum() == pytest.approx(1.0, abs=1e-12)


def test_the_posterior_is_that_of_the_equations() -> None:
    games = Games(2, num_symbols=5, num_levels=3, noise=0.6)
    recogniser = _flat(games, window=2, temper=0.5, prior_count=0.7, **AS_THE_PAPER)
    stream = [symbols for _, symbols in games.play([0, 1], 20)]
    counts, log_p = [np.full((5, 3), 0.7)], np.zeros(1)
    for number, symbols in enumerate(stream):
        window, inside = divmod(number, 2)
        if inside == 0:
            saved = [each.copy() for each in counts]
            alpha = 1.0 / (window + 1)
            p = np.exp(log_p)
            log_p = np.log((1 - alpha) * p + alpha * (1 - p) / (len(p) - 1)) if len(p) > 1 else np.zeros(1)
        likelihoods = [np.log(each[np.arange(5), symbols] / each.sum(axis=1)).sum() for each in counts]
        log_p = log_p + 0.5 * np.array(likelihoods)
        log_p -= np.logaddexp.reduce(log_p)
        for each in counts:
            each[np.arange(5), symbols] += 1
        recogniser.step(symbols)
        if inside == 1:
            winner = int(np.argmax(log_p))
            counts = [counts[winner] if model == winner else saved[model] for model in range(len(counts))]
            if winner == len(counts) - 1:
                counts.append(np.full((5, 3), 0.7))
                log_p = np.append(log_p, -np.log(window + 2.0))
                log_p -= np.logaddexp.reduce(log_p)
        np.testing.assert_allclose(recogniser.log_posterior, log_p, atol=1e-5)
    assert recogniser.num_tasks == len(counts) - 1 >= 2


def test_after_a_window_the_losers_are_what_they_were_and_the_hold_out_knows_nothing() -> None:
    games = Games(3)
    recogniser = _flat(games)
    _labels(recogniser, games, [0, 1, 2], 40)
    before = [recogniser.counts(task) for task in range(3)]
    _labels(recogniser, games, [1], 40)
    after = [recogniser.counts(task) for task in range(3)]
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[2], after[2])
    assert after[1].sum() == before[1].sum() + 40 * games.num_symbols
    assert not recogniser.counts(-1).any()


def test_the_middle_of_a_window_changes_no_task() -> None:
    games = Games(2)
    recogniser = _flat(games)
    _labels(recogniser, games, [0, 1], 40)
    before = [recogniser.counts(task) for task in (0, 1, -1)]
    for _ in range(3):
        recogniser.step(games.observe(0))
    assert all(np.array_equal(recogniser.counts(task), counts) for task, counts in zip((0, 1, -1), before, strict=True))


def test_a_window_across_a_switch_is_no_task_unless_one_window_is_enough() -> None:
    found = {}
    for num_windows in (1, 2):
        games = Games(4)
        recogniser = _flat(games, new_task_windows=num_windows, debounce=1)
        _labels(recogniser, games, ORDER, 398)
        found[num_windows] = recogniser.num_tasks
    assert found[2] == 4
    assert found[1] > 4


def test_a_new_task_must_win_as_many_windows_as_it_is_told_to() -> None:
    late = {}
    for num_windows in (1, 2, 5):
        games = Games(2)
        recogniser = _flat(games, new_task_windows=num_windows, debounce=1)
        late[num_windows] = _labels(recogniser, games, [0, 1], 40)[1].tolist().index(1.0)
    assert late == {1: 3, 2: 7, 5: 19}


def test_a_candidate_that_loses_is_forgotten() -> None:
    games = Games(3)
    recogniser = _flat(games, new_task_windows=3, debounce=1)
    _labels(recogniser, games, [0], 40)
    for other in (1, 2):
        _labels(recogniser, games, [other], 8)
        labels = _labels(recogniser, games, [0], 8)
        assert (labels == 0).all()
        assert recogniser.num_tasks == 1
        assert len(recogniser.log_posterior) == 2


def _new_screens(**fields: object) -> int:
    """How many tasks are found in one game of which a tenth of the background changes now and then."""
    games = Games(1, noise=0.05, seed=3)
    recogniser = _flat(games, **fields)
    random = np.random.default_rng(0)
    screens = [random.permutation(games.num_symbols)[:40] for _ in range(5)]
    for screen in screens:
        for _ in range(60):
            symbols = games.observe(0)
            symbols[screen] = (symbols[screen] + 3) % games.num_levels
            recogniser.step(symbols)
    return recogniser.num_tasks


def test_new_screens_of_one_game_make_new_tasks_unless_a_field_forbids_it() -> None:
    assert _new_screens(prior_count=0.01) > 1
    assert _new_screens(prior_count=0.01, margin=1e4) == 1
    assert _new_screens(prior_count=0.01, temper=1e-3) == 1
    assert _new_screens(prior_count=0.01, new_task_windows=30) == 1
    assert _new_screens(prior_count=5.0) == 1


def test_no_more_tasks_than_allowed_are_found_and_the_hold_out_stays_empty() -> None:
    games = Games(4)
    recogniser = _flat(games, max_tasks=2, **AS_THE_PAPER)
    labels = _labels(recogniser, games, [0, 1, 2, 3], 40)
    assert recogniser.num_tasks == 2
    assert set(labels[2:].ravel().tolist()) <= {0.0, 1.0}
    assert not recogniser.counts(-1).any()


def test_only_windows_won_by_the_belief_settle_it() -> None:
    games = Games(2)
    recogniser = _flat(games, debounce=3)
    _labels(recogniser, games, [0], 40)
    assert recogniser.num_settled == 10
    _labels(recogniser, games, [1], 4 * 3)  # a candidate, a task, and a second sight of it
    assert recogniser.num_settled == 10
    _labels(recogniser, games, [1], 4)
    assert recogniser.num_settled == 11
