"""What a stored Fisher must say about itself."""

from __future__ import annotations

from dataclasses import dataclass

FISHER_SCALE = "mean over examples of per-example squares"


@dataclass(frozen=True)
class FisherInfo:
    """How a Fisher diagonal was made.

    `estimator` is "exact" (all labels, weighted by the model) or "uniform" (all ones: the l2 method); `seed` drew the
    subset of examples, None when all of the task's training examples were used.
    """

    estimator: str
    likelihood: str
    num_examples: int
    seed: int | None
    scale: str = FISHER_SCALE
