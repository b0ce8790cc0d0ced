"""The exact curves of the paper's size, computed once: n = 1000 synapses, 6000 patterns."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ewc_core.association.rates import LinearRule, learning_rates
from ewc_core.association.theory import TheoryCurves, readout_theory
from ewc_core.specs import EwcRule, GradientDescentRule, OnlineEwcRule

PAPER_RULES: Mapping[str, LinearRule] = {
    "gd": GradientDescentRule(),
    "half": GradientDescentRule(rate=0.5),
    "ewc": EwcRule(),
    "online": OnlineEwcRule(fisher_decay=0.999),
}


@pytest.fixture(scope="session")
def paper_curves() -> Mapping[str, TheoryCurves]:
    rates = {name: learning_rates(rule, num_synapses=1000, num_patterns=6000) for name, rule in PAPER_RULES.items()}
    return {name: readout_theory(rate, num_synapses=1000) for name, rate in rates.items()}
