"""Looking an association job over: timing a small one for each of its rules."""

from __future__ import annotations

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
_MOST_PATTERNS = 2000
"""Over so many the theory of a rule is timed."""


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
    """Of one rule: its theory grows with the square of the patterns, its simulation with the patterns and the batches of repeats,
    of which a whole one is timed over fewer patterns."""
    num_repeats = max(2, len(AssociationComputation(spec).batches[0]))
    some, few = (
        min(spec.num_patterns, max(2, most)) for most in (_MOST_PATTERNS, _NUM_UPDATES // (num_repeats * spec.num_synapses))
    )
    _timed(spec, rule, num_patterns=2, num_repeats=2, steps=range(2))  # what is made at the first call is not timed
    theory = _timed(spec, rule, num_patterns=some, num_repeats=2, steps=range(1))
    simulation = _timed(spec, rule, num_patterns=few, num_repeats=num_repeats, steps=range(1, 2))
    num_batches = spec.num_repeats / num_repeats
    return theory * (spec.num_patterns / some) ** 2 + simulation * spec.num_patterns / few * num_batches


def _timed(spec: AssociationSpec, rule: AssociationRule, *, num_patterns: int, num_repeats: int, steps: range) -> float:
    changes = {"rules": [rule], "num_patterns": num_patterns, "num_repeats": num_repeats}
    small = AssociationComputation(spec.model_copy(update=changes))
    begun = time.perf_counter()
    for step in steps:
        small.do(step)
    return time.perf_counter() - begun
