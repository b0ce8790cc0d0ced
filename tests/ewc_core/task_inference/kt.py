"""The estimator of Krichevsky and Trofimov: a coin of unknown bias."""

from __future__ import annotations

import numpy as np

from ewc_core.task_inference.dirichlet import FactoredDirichlet


def kt_estimator() -> FactoredDirichlet:
    """p(x) = (n_x + ½) / (n_0 + n_1 + 1): one binary symbol with Jeffreys' prior, counted in float64.

    Its redundancy against the best coin in hindsight is at most ½ ln n + ln 2 nats.
    """
    return FactoredDirichlet(1, 2, prior_count=0.5, dtype=np.float64)
