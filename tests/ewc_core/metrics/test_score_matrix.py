"""Metrics of score matrices, against cases computed by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from ewc_core.errors import NonFiniteError, SpecError
from ewc_core.metrics import MatrixSummary, ScoreMatrix

TASKS = range(3)


def test_three_tasks_visited_once() -> None:
    scores = {
        (0, 0): 0.9,
        (1, 0): 0.8,
        (1, 1): 0.95,
        (2, 0): 0.6,
        (2, 1): 0.9,
        (2, 2): 0.99,
        (-1, 1): 0.1,
        (0, 1): 0.2,
        (-1, 2): 0.1,
        (1, 2): 0.05,
    }
    matrix = ScoreMatrix(scores, [0, 1, 2], with_ratios=TASKS)
    summary = matrix.summary()
    assert summary.average == pytest.approx((0.6 + 0.9 + 0.99) / 3)
    assert summary.forgetting == {0: pytest.approx(0.3), 1: pytest.approx(0.05), 2: None}
    assert summary.mean_forgetting == pytest.approx(0.175)
    assert summary.retention == {0: pytest.approx(0.6 / 0.9), 1: pytest.approx(0.9 / 0.95), 2: 1.0}
    assert summary.mean_retention == pytest.approx((0.6 / 0.9 + 0.9 / 0.95) / 2)
    assert summary.backward_transfer == pytest.approx(((0.6 - 0.9) + (0.9 - 0.95)) / 2)
    assert summary.forward_transfer == pytest.approx(((0.2 - 0.1) + (0.05 - 0.1)) / 2)
    assert [matrix.average(visit) for visit in range(3)] == [pytest.approx(0.9), pytest.approx(0.875), summary.average]
    assert matrix.rows() == [[0.9, None, None], [0.8, 0.95, None], [0.6, 0.9, 0.99]]


def test_a_revisit_renews_the_row_that_retention_is_measured_from() -> None:
    scores = {(0, 0): 0.9, (1, 0): 0.5, (1, 1): 0.8, (2, 0): 0.96, (2, 1): 0.6, (3, 0): 0.72, (3, 1): 0.7}
    summary = ScoreMatrix(scores, [0, 1, 0, 1], with_ratios=TASKS).summary()
    assert summary.retention == {0: pytest.approx(0.72 / 0.96), 1: 1.0}
    assert summary.forgetting == {0: pytest.approx(0.96 - 0.72), 1: pytest.approx(0.8 - 0.7)}
    assert summary.backward_transfer == pytest.approx(0.72 - 0.96)
    assert summary.forward_transfer is None


def test_a_task_that_became_better_has_negative_forgetting() -> None:
    summary = ScoreMatrix({(0, 0): 0.5, (1, 0): 0.7, (1, 1): 0.9}, [0, 1], with_ratios=TASKS).summary()
    assert summary.forgetting == {0: pytest.approx(-0.2), 1: None}
    assert summary.backward_transfer == pytest.approx(0.2)


def test_one_task_has_an_average_and_nothing_to_forget() -> None:
    summary = ScoreMatrix({(0, 0): 0.5, (-1, 0): 0.1}, [0], with_ratios=TASKS).summary()
    assert summary == MatrixSummary(
        average=0.5,
        forgetting={0: None},
        mean_forgetting=None,
        retention={0: 1.0},
        mean_retention=None,
        backward_transfer=None,
        forward_transfer=None,
    )


def test_no_visit_leaves_everything_undefined() -> None:
    summary = ScoreMatrix({(-1, 0): 0.1}, [], with_ratios=TASKS).summary()
    assert (summary.average, summary.mean_retention, summary.forward_transfer) == (None, None, None)
    assert summary.forgetting == {}


def test_a_missing_score_makes_its_means_undefined_and_no_others() -> None:
    summary = ScoreMatrix(
        {(0, 0): 0.9, (1, 0): 0.8, (2, 0): 0.7, (2, 1): 0.5, (2, 2): 0.5}, [0, 1, 2], with_ratios=TASKS
    ).summary()
    assert summary.average == pytest.approx((0.7 + 0.5 + 0.5) / 3)
    assert summary.retention == {0: pytest.approx(0.7 / 0.9), 1: None, 2: 1.0}
    assert summary.mean_retention is None
    assert summary.forgetting == {0: pytest.approx(0.2), 1: None, 2: None}
    assert summary.mean_forgetting is None
    assert summary.backward_transfer is None


def test_retention_of_a_task_that_was_never_learned_is_undefined_rather_than_infinite() -> None:
    assert ScoreMatrix({(0, 0): 0.0, (1, 0): 0.5, (1, 1): 1.0}, [0, 1], with_ratios=TASKS).summary().retention[0] is None


@pytest.mark.parametrize(("then", "now"), [(-110.0, -200.0), (-0.2, 0.4), (0.4, -0.2), (-0.0, 0.0), (0.0, 0.5)])
def test_a_negative_score_or_one_of_0_to_divide_by_has_no_ratio_and_points_all_the_same(then: float, now: float) -> None:
    summary = ScoreMatrix({(0, 0): then, (1, 0): now, (1, 1): 1.0}, [0, 1], with_ratios=TASKS).summary()
    assert (summary.retention[0], summary.mean_retention) == (None, None)
    assert (summary.forgetting[0], summary.backward_transfer) == (pytest.approx(then - now), pytest.approx(now - then))


def test_what_is_too_large_for_a_float_is_undefined() -> None:
    tiny = ScoreMatrix({(0, 0): 5e-324, (1, 0): 1.0, (1, 1): 1.0}, [0, 1], with_ratios=TASKS).summary()
    assert (tiny.retention[0], tiny.mean_retention, tiny.average) == (None, None, 1.0)
    huge = ScoreMatrix({(0, 0): 1.7e308, (1, 0): -1.7e308, (1, 1): -1.7e308}, [0, 1], with_ratios=TASKS).summary()
    assert (huge.forgetting[0], huge.mean_forgetting, huge.backward_transfer, huge.average) == (None, None, None, None)


def test_unlike_scores_have_no_mean_and_each_task_what_is_its_own() -> None:
    scores = {(0, 0): 0.5, (1, 0): 0.25, (1, 1): 20.0}
    summary = ScoreMatrix(scores, [0, 1], with_ratios=[0], are_alike=False).summary()
    assert (summary.forgetting[0], summary.retention[0], summary.mean_retention) == (0.25, 0.5, 0.5)
    assert (summary.average, summary.mean_forgetting, summary.backward_transfer) == (None, None, None)


def test_only_scores_that_may_be_divided_have_a_ratio() -> None:
    scores = {(0, 0): 0.8, (1, 0): 0.4, (1, 1): 1.0, (2, 0): 0.4, (2, 1): 0.5, (2, 2): 1.0}
    assert ScoreMatrix(scores, [0, 1, 2], with_ratios=[1]).summary().retention == {0: None, 1: 0.5, 2: None}
    assert ScoreMatrix(scores, [0, 1, 2], with_ratios=[1]).summary().mean_retention is None
    assert ScoreMatrix(scores, [0, 1, 2], with_ratios=()).summary().retention == {0: None, 1: None, 2: None}


def test_a_score_that_was_lost_entirely_is_retained_to_0() -> None:
    assert ScoreMatrix({(0, 0): 0.5, (1, 0): 0.0, (1, 1): 1.0}, [0, 1], with_ratios=TASKS).summary().retention[0] == 0.0


def test_scores_before_the_first_visit_do_not_count_as_learned() -> None:
    scores = {(0, 0): 0.9, (0, 1): 0.99, (1, 0): 0.9, (1, 1): 0.5, (2, 0): 0.9, (2, 1): 0.4}
    matrix = ScoreMatrix(scores, [0, 1, 0], with_ratios=TASKS)
    assert matrix.summary().forgetting[1] == pytest.approx(0.1)
    assert matrix.rows()[0] == [0.9, None]


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_scores_that_are_not_numbers_are_refused(score: float) -> None:
    with pytest.raises(NonFiniteError, match="task 0 after visit 0"):
        ScoreMatrix({(0, 0): score}, [0], with_ratios=TASKS)


def test_scores_of_visits_that_are_not_finished_are_refused() -> None:
    with pytest.raises(SpecError, match="after visit 1, but 1 visits are finished"):
        ScoreMatrix({(1, 0): 0.5}, [0], with_ratios=TASKS)


def test_metrics_load_neither_torch_nor_numpy() -> None:
    code = "import sys, ewc_core.metrics; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_of_losses_what_grew_was_forgotten_and_what_fell_was_won() -> None:
    scores = {(0, 0): 0.5, (1, 0): 0.75, (0, 1): 2.0, (-1, 1): 2.5, (1, 1): 0.25}
    losses = ScoreMatrix(scores, [0, 1], with_ratios=(), less_is_better=range(2)).summary()
    gains = ScoreMatrix({place: -score for place, score in scores.items()}, [0, 1], with_ratios=()).summary()
    assert losses.forgetting == gains.forgetting == {0: 0.25, 1: None}
    assert losses.mean_forgetting == 0.25
    assert losses.backward_transfer == gains.backward_transfer == -0.25
    assert losses.forward_transfer == gains.forward_transfer == 0.5
