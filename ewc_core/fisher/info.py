"""What a stored Fisher must say about itself."""

from __future__ import annotations

from dataclasses import dataclass

FISHER_SCALE = "mean over examples of per-example squares"


@dataclass(frozen=True)
class FisherInfo:
    """How a Fisher diagonal was made.

    `estimator` is the value of a `FisherEstimator`, or the name of what stands in for a Fisher ("uniform": all ones, the
    l2 method); `likelihood` is the value of a `LikelihoodName`, or "none". `seed` drew the examples, and the labels or
    signs of the `sampled` and `rademacher` estimators; None when nothing was drawn.
    """

    estimator: str
    likelihood: str
    num_examples: int
    seed: int | None
    scale: str = FISHER_SCALE
