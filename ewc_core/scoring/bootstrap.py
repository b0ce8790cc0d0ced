"""How far a score would be elsewhere on another sample of examples: the percentile interval of the bootstrap.

Examples are drawn with replacement, as many as there are, `NUM_RESAMPLES` times; the interval holds the middle 95 % of the
scores (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). It is about the examples that are
evaluated, not about seeds of training. Where all examples score alike it has no width: they say no more.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.metrics.measured import Interval, Measured
from ewc_core.metrics.scores import SCORES, ScoreName
from ewc_core.scoring.terms import Terms

NUM_RESAMPLES = 999  # so that both ends are scores that were drawn: the 25th and the 975th of 999
CONFIDENCE = 0.95
MAX_GROUPS = 2000
MAX_VALUES = 16


def measured(name: ScoreName, terms: Terms, *, num_choices: int | None, random: torch.Generator) -> Measured:
    """The cell of these terms; mutates `random`. `num_choices` is between how many answers each example chooses."""
    chance = SCORES[name].chance_among(num_choices)
    return Measured(name, terms.value, len(terms.rows), interval_of(terms, random=random), chance)


def interval_of(terms: Terms, *, random: torch.Generator) -> Interval | None:
    """Both ends of the interval, whose bits follow from the terms and `random`, which is mutated. None for fewer than two
    examples, or where the score of a sample is undefined or not finite.

    Where rows are one of a few numbers, it is drawn how often each comes, which costs no more for more examples. More than
    `MAX_GROUPS` others are drawn in so many random groups: the sums of samples spread as much, and the cost is bounded.
    """
    if len(terms.rows) < 2 or terms.value is None:
        return None
    drawn = _sums_of_counts(terms.rows[:, 0], random) if terms.rows.shape[1] == 1 else None
    sums, counts = drawn or _sums_of_groups(terms.rows, random)
    scores = terms.score_of(sums, counts).sort().values
    if not bool(scores.isfinite().all()):
        return None
    outside = round((NUM_RESAMPLES + 1) * (1.0 - CONFIDENCE) / 2.0)
    return float(scores[outside - 1]), float(scores[-outside])


def _sums_of_counts(rows: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor] | None:
    """How often each number is drawn is multinomial: one binomial after another, each of what the others have left. None, and
    nothing drawn, where there are more than `MAX_VALUES` numbers."""
    values, numbers = rows.unique(return_counts=True)  # type: ignore[no-untyped-call]  # untyped in torch
    if len(values) > MAX_VALUES:
        return None
    size = len(rows)
    left, size_left = torch.full((NUM_RESAMPLES,), float(size), dtype=torch.float64), size
    sums = torch.zeros(NUM_RESAMPLES, 1, dtype=torch.float64)
    for value, number in zip(values.tolist(), numbers.tolist(), strict=True):
        share = torch.full_like(left, number / size_left)
        drawn = torch.binomial(left, share, generator=random)
        sums[:, 0] += value * drawn
        left, size_left = left - drawn, size_left - number
    return sums, torch.full((NUM_RESAMPLES,), float(size), dtype=torch.float64)


def _sums_of_groups(rows: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Groups drawn with replacement, of one row each where there are few; with the number of rows in every sample."""
    counted = torch.cat([rows, torch.ones(len(rows), 1, dtype=torch.float64)], dim=1)
    if len(rows) > MAX_GROUPS:
        group = torch.randperm(len(rows), generator=random) % MAX_GROUPS
        counted = torch.zeros(MAX_GROUPS, counted.shape[1], dtype=torch.float64).index_add_(0, group, counted)
    drawn = torch.randint(len(counted), (NUM_RESAMPLES, len(counted)), generator=random)
    times = torch.zeros(NUM_RESAMPLES, len(counted), dtype=torch.float64)
    times.scatter_add_(1, drawn, torch.ones_like(times))
    sums = times @ counted
    return sums[:, :-1], sums[:, -1]
