"""Intervals of scores, against normal theory, a literal bootstrap, and their own promise."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ewc_core.scoring.bootstrap import MAX_GROUPS, MAX_VALUES, interval_of, measured
from ewc_core.scoring.of_predictions import accuracy, r_squared
from ewc_core.scoring.of_returns import mean_return
from ewc_core.scoring.terms import Terms
from ewc_core.seeding import generator
from ewc_core.specs import LikelihoodName

CATEGORICAL, BERNOULLI, GAUSSIAN = LikelihoodName.CATEGORICAL, LikelihoodName.BERNOULLI, LikelihoodName.GAUSSIAN


def _random(*path: str | int) -> torch.Generator:
    return generator(0, "tests", *path)


def _right(num_right: int, num_examples: int) -> Terms:
    labels = (torch.arange(num_examples) >= num_right).long()
    outputs = torch.tensor([[1.0, 0.0]]).expand(num_examples, 2)
    return accuracy([(outputs, labels)], CATEGORICAL)


def _regression(num_examples: int) -> tuple[Tensor, Tensor]:
    targets = torch.randn(num_examples, 2, generator=_random("targets"))
    return targets + 0.5 * torch.randn(num_examples, 2, generator=_random("errors")), targets


def _half(terms: Terms, *path: str | int) -> float:
    interval = interval_of(terms, random=_random(*path))
    assert interval is not None
    return (interval[1] - interval[0]) / 2.0


@pytest.mark.parametrize(("num_right", "num_examples"), [(300, 360), (5000, 10_000), (59_000, 60_000)])
def test_an_accuracy_is_as_sure_as_a_binomial_is(num_right: int, num_examples: int) -> None:
    share = num_right / num_examples
    expected = 1.96 * math.sqrt(share * (1 - share) / num_examples)
    assert _half(_right(num_right, num_examples)) == pytest.approx(expected, rel=0.12)


@pytest.mark.parametrize("num_examples", [MAX_VALUES + 1, 300, MAX_GROUPS + 1, 50_000])
def test_a_mean_is_as_sure_as_its_standard_error_says_whether_rows_or_groups_are_drawn(num_examples: int) -> None:
    values = torch.randn(num_examples, generator=_random("values"), dtype=torch.float64)
    expected = 1.96 * float(values.std(correction=0)) / math.sqrt(num_examples)
    assert _half(mean_return(values.tolist(), float)) == pytest.approx(expected, rel=0.12)


def test_r_squared_is_as_sure_as_a_literal_bootstrap_says() -> None:
    outputs, targets = _regression(150)
    random, scores = _random("literal"), []
    for _ in range(999):
        rows = torch.randint(150, (150,), generator=random)
        scores.append(r_squared([(outputs[rows], targets[rows])], GAUSSIAN).value or 0.0)
    scores.sort()
    interval = interval_of(r_squared([(outputs, targets)], GAUSSIAN), random=_random("interval"))
    assert interval == pytest.approx((scores[24], scores[974]), abs=0.015)


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    held, share = 0, 0.8
    for trial in range(400):
        num_right = int((torch.rand(200, generator=_random("trial", trial)) < share).sum())
        low, high = interval_of(_right(num_right, 200), random=_random("interval", trial)) or (1.0, 0.0)
        held += low <= share <= high
    assert 0.91 <= held / 400 <= 0.98


@pytest.mark.parametrize("make", [lambda: _right(30, 40), lambda: mean_return([1.0, 5.0, 2.5], float)])
def test_the_same_generator_gives_the_same_bits(make: Callable[[], Terms]) -> None:
    assert interval_of(make(), random=_random()) == interval_of(make(), random=_random())


def test_the_score_is_the_function_of_its_own_sums() -> None:
    outputs, targets = _regression(300)
    signs = (targets > 0).float()
    for terms in (
        _right(7, 9),
        accuracy([(outputs[:100], signs[:100]), (outputs[100:], signs[100:])], BERNOULLI),
        r_squared([(outputs[:100], targets[:100]), (outputs[100:], targets[100:])], GAUSSIAN),
        mean_return([3.0, -1.0, 2.0], lambda mean: (mean + 4.0) / 2.0),
    ):
        counts = torch.tensor([float(len(terms.rows))], dtype=torch.float64)
        assert float(terms.score_of(terms.rows.sum(0, keepdim=True), counts)) == pytest.approx(terms.value)


def test_a_return_has_its_interval_on_the_scale_of_its_score() -> None:
    returns = [float(number) for number in range(30)]
    plain = interval_of(mean_return(returns, float), random=_random())
    scaled = interval_of(mean_return(returns, lambda mean: (mean - 10.0) / 5.0), random=_random())
    assert plain is not None
    assert scaled == pytest.approx([(end - 10.0) / 5.0 for end in plain])


def test_examples_that_all_score_alike_say_no_more() -> None:
    assert interval_of(_right(40, 40), random=_random()) == (1.0, 1.0)


def test_there_is_no_interval_where_samples_have_no_score() -> None:
    outputs, targets = _regression(3)
    assert interval_of(_right(1, 1), random=_random()) is None
    assert interval_of(r_squared([(outputs, torch.ones(3, 2))], GAUSSIAN), random=_random()) is None
    targets = torch.tensor([[0.0], [0.5], [1.0]])
    assert interval_of(r_squared([(outputs[:, :1], targets)], GAUSSIAN), random=_random()) is None, "0.5 alone has no spread"
    assert interval_of(mean_return([1e308, 1e308, 0.0], float), random=_random()) is None


def test_a_cell_says_what_it_is_over_how_many_and_what_chance_gives() -> None:
    cell = measured("accuracy", _right(30, 40), num_choices=4, random=_random())
    assert (cell.name, cell.score, cell.num_examples, cell.chance) == ("accuracy", 0.75, 40, 0.25)
    assert cell.interval == interval_of(_right(30, 40), random=_random())
