"""The step size λ_t of a rule: the implicit step on ½(x·W − y)² + ½ N_t ‖W − W_{t−1}‖² with ‖x‖ = 1.

    W_t = W_{t−1} − λ_t (x_t·W_{t−1} − y_t) x_t ,    λ_t = 1/(1 + N_t)                      (Sherman-Morrison)

    gd:          N_t = 1/n                                     λ = n/(n+1), or any constant given as `rate`
    ewc:         N_t = t/n, the diagonal of the total Fisher   λ_t = n/(n+t)
    online_ewc:  N_t = γ N_{t−1} + 1/n, N_0 = 0                 λ_∞ = 1/(1 + 1/(n(1−γ)))

The penalty is anchored at the latest W, not at one anchor per pattern.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ewc_core.specs import EwcRule, GradientDescentRule, OnlineEwcRule

LinearRule = GradientDescentRule | EwcRule | OnlineEwcRule


def learning_rates(rule: LinearRule, *, num_synapses: int, num_patterns: int) -> NDArray[np.float64]:
    """λ_1 … λ_T as float64 [num_patterns]; entry t − 1 belongs to step t."""
    n, steps = num_synapses, np.arange(1, num_patterns + 1, dtype=np.float64)
    if isinstance(rule, GradientDescentRule):
        return np.full(num_patterns, n / (n + 1) if rule.rate is None else rule.rate)
    if isinstance(rule, EwcRule):
        metric = steps / n
    else:
        # The recursion summed: N_t = (1 − γ^t) / (n (1 − γ)).
        metric = -np.expm1(steps * np.log(rule.fisher_decay)) / (n * (1.0 - rule.fisher_decay))
    rates: NDArray[np.float64] = 1.0 / (1.0 + metric)
    return rates
