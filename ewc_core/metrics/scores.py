"""What a score can be: its name, which way is better, when it is undefined, and whether it may be divided by another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ScoreName = Literal["accuracy", "r2", "normalised", "return"]


@dataclass(frozen=True)
class Score:
    """`ratios`: a quotient of two scores means something only where 0 is the natural end of the scale. A score with a zero
    that was chosen (the mean as predictor, random play), or that can be negative, has differences only."""

    name: ScoreName
    better: Literal["higher", "lower"]
    description: str
    undefined: str | None
    ratios: Literal["always", "never", "where never negative"]


SCORES: dict[ScoreName, Score] = {
    score.name: score
    for score in (
        Score("accuracy", "higher", "share of right answers, in [0, 1]", None, "always"),
        Score(
            "r2",
            "higher",
            "R² = 1 − Σ(f − y)² / Σ(y − ȳ)², at most 1; 0 is the mean of the targets as predictor",
            "the targets of the split are constant",
            "never",
        ),
        Score(
            "normalised",
            "higher",
            "mean return on the scale of a reference: 0 is random play, 1 the reference player; not clipped",
            None,
            "never",
        ),
        Score("return", "higher", "mean return of an episode", None, "where never negative"),
    )
}
