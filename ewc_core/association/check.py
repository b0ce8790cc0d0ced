"""Looking an association job over: timing a small one for each of its rules."""

from __future__ import annotations

import math
import time

from ewc_core.association.computation import AssociationComputation
from ewc_core.association.schedule import BATCH_UPDATES
from ewc_core.association.size_of import size_of
from ewc_core.checking.look import Look
from ewc_core.mistakes import Mistakes
from ewc_core.specs import AssociationRule, AssociationSpec
from ewc_core.training.stored import StoredJob

_NUM_UPDATES = BATCH_UPDATES // 20
"""Updates of synapses that are timed for each rule."""


def look(spec: AssociationSpec, stored: StoredJob) -> Look:
    """What the job takes; see `LookOver`. Nothing can be wrong with it that its spec alone does not tell."""
    size = size_of(AssociationComputation(spec))
    mistakes = Mistakes()
    with mistakes.noted():
        stored.limits.require(size, field="num_synapses")
    if mistakes.found:
        return Look(mistakes.found, size=size)
    return Look([], size=size, seconds=sum(_seconds(spec, rule) for rule in spec.rules))


def _seconds(spec: AssociationSpec, rule: AssociationRule) -> float:
    """Of one rule: its theory grows with the square of the patterns, its simulation with all updates."""
    num_patterns = min(spec.num_patterns, max(2, math.ceil(_NUM_UPDATES / (2 * spec.num_synapses))))
    small = AssociationComputation(spec.model_copy(update={"rules": [rule], "num_patterns": num_patterns, "num_repeats": 2}))
    begun = time.perf_counter()
    small.do(0)
    theory = time.perf_counter() - begun
    for step in range(1, small.num_steps):
        small.do(step)
    simulation = time.perf_counter() - begun - theory
    times = spec.num_patterns / num_patterns
    return theory * times**2 + simulation * times * spec.num_repeats / 2
