"""One cell of a score matrix."""

from __future__ import annotations

from dataclasses import dataclass

from ewc_core.metrics.scores import ScoreName

Interval = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """A score (None where it is undefined), what it is, and over how many examples or episodes it was taken.

    `interval` are the ends of its 95 % interval (see `ewc_core.scoring.bootstrap`), None where there is none. `chance` is the
    chance level, None where it is not known.
    """

    name: ScoreName
    score: float | None
    num_examples: int
    interval: Interval | None
    chance: float | None
