"""How much of the network is frozen once a task is consolidated, with the curvature that this task brought."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.capacity import Capacity, capacity_of_precision, mean_curvature, random_pulls
from ewc_core.consolidation import ConstraintBook
from ewc_core.layers import by_layer
from ewc_core.params import ParameterLayout
from ewc_core.seeding import generator
from ewc_core.specs import EwcMethod, OnlineEwcMethod, SupervisedSpec
from ewc_core.supervised.consolidate import EndOfVisit
from ewc_core.supervised.guards import Guard, nearly_full

NUM_EXAMPLES, NUM_SCORES = 64, 8
"""A coarse estimate of h: the warning asks whether nine tenths are frozen, not how many exactly."""


def capacity_used(end: EndOfVisit, stiffness: Mapping[str, Tensor], *, seed: int) -> Capacity:
    """Shares frozen for the next task, which is taken to pull as the task just learned; the network is left as it was.

    `stiffness` is that of the penalty that will tie the network then. Examples and signs derive from (seed, "capacity", visit).
    """
    random = generator(seed, "capacity", end.visit_index)
    available = end.data.num_examples("train")
    chosen = torch.randperm(available, generator=random)[:NUM_EXAMPLES].sort().values
    inputs, _ = end.read(chosen)(0, len(chosen))
    groups = by_layer(stiffness)
    sums = random_pulls(
        end.network,
        inputs,
        groups,
        num_scores=NUM_SCORES,
        num_outputs=end.view.stop - end.view.start,
        random=random,
        likelihood=end.data.likelihood,
        select=end.view.select,
        num_examples=available,
    )
    return capacity_of_precision(stiffness, mean_curvature(groups, sums))


def capacity_guard(spec: SupervisedSpec, book: ConstraintBook, end: EndOfVisit, layout: ParameterLayout) -> Guard | None:
    """The warning that the network is nearly frozen; only the methods with a Fisher can say so."""
    if not isinstance(spec.method, EwcMethod | OnlineEwcMethod):
        return None
    if (penalty := book.penalty(layout, visiting=None)) is None:
        return None
    stiffness = penalty.stiffness(layout)
    del penalty  # the rest of it takes the memory of a network
    return nearly_full(capacity_used(end, stiffness, seed=spec.seed))
