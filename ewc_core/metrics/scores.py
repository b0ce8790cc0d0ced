"""The registry of scores: what each is called, which way is better, what chance gives, and when it is undefined.

A new score is an entry here, with its name, and a function that measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ScoreName = Literal["accuracy", "r2", "normalised", "return"]


@dataclass(frozen=True)
class Score:
    """`ratios`: a quotient of two scores means something only where 0 is the natural end of the scale. A score with a zero
    that was chosen (the mean as predictor, random play), or that can be negative, has differences only.

    `chance` is the score of who knows nothing, as far as it is known: a number, or "1/K" for one choice of K.
    `measure` is where it is measured, as "module:function": an `ewc_core.scoring.terms.Terms` of predictions or of returns.
    """

    name: ScoreName
    better: Literal["higher", "lower"]
    description: str
    undefined: str | None
    ratios: Literal["always", "never", "where never negative"]
    chance: float | Literal["1/K"] | None
    measure: str

    def chance_among(self, num_choices: int | None) -> float | None:
        """The chance level where each answer is one of `num_choices` (None: there is nothing to choose from)."""
        if self.chance == "1/K":
            return None if num_choices is None else 1.0 / num_choices
        return self.chance


SCORES: dict[ScoreName, Score] = {
    score.name: score
    for score in (
        Score(
            "accuracy",
            "higher",
            "share of right answers, in [0, 1]",
            None,
            "always",
            chance="1/K",
            measure="ewc_core.scoring.of_predictions:accuracy",
        ),
        Score(
            "r2",
            "higher",
            "R² = 1 − Σ(f − y)² / Σ(y − ȳ)², at most 1; 0 is the mean of the targets as predictor",
            "the targets of the split are constant",
            "never",
            chance=0.0,
            measure="ewc_core.scoring.of_predictions:r_squared",
        ),
        Score(
            "normalised",
            "higher",
            "mean return on the scale of a reference: 0 is random play, 1 the reference player; not clipped",
            None,
            "never",
            chance=0.0,
            measure="ewc_core.scoring.of_returns:mean_return",
        ),
        Score(
            "return",
            "higher",
            "mean return of an episode",
            None,
            "where never negative",
            chance=None,
            measure="ewc_core.scoring.of_returns:mean_return",
        ),
    )
}
