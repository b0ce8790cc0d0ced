"""From a network at the end of a visit to the constraint of its task."""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor, nn

from ewc_core.consolidation import Constraint
from ewc_core.data import PermutedData
from ewc_core.fisher import FisherInfo, exact_fisher_steps
from ewc_core.seeding import derive_seed
from ewc_core.specs import EwcMethod, SupervisedSpec, L2Method


def consolidation_steps(
    spec: SupervisedSpec, network: nn.Module, data: PermutedData, *, task_index: int, visit_index: int
) -> Generator[tuple[int, int], None, Constraint | None]:
    """Make the constraint that the spec's method wants, or None for methods without one.

    Yields (examples done, examples in all) while the Fisher is summed; the network is left as it was.
    """
    anchor = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    if isinstance(spec.method, EwcMethod):
        indices, seed = _fisher_examples(spec, spec.method, data, task_index=task_index, visit_index=visit_index)
        fisher = yield from _fisher_steps(network, data, indices)
        info = FisherInfo(estimator="exact", likelihood="categorical", num_examples=len(indices), seed=seed)
        return Constraint(task_index, fisher, anchor, spec.method.ewc_lambda, info)
    if isinstance(spec.method, L2Method):
        ones = {name: torch.ones_like(tensor) for name, tensor in anchor.items()}
        info = FisherInfo(estimator="uniform", likelihood="none", num_examples=0, seed=None, scale="every entry is 1")
        return Constraint(task_index, ones, anchor, spec.method.ewc_lambda, info)
    return None


def _fisher_examples(
    spec: SupervisedSpec, method: EwcMethod, data: PermutedData, *, task_index: int, visit_index: int
) -> tuple[Tensor, int | None]:
    """Indices of the training examples to use, and the seed that drew them (None: all of them)."""
    if method.fisher_num_examples is None or method.fisher_num_examples >= data.num_training_examples:
        return torch.arange(data.num_training_examples), None
    seed = derive_seed(spec.seed, "fisher", visit_index, task_index)
    order = torch.randperm(data.num_training_examples, generator=torch.Generator().manual_seed(seed))
    return order[: method.fisher_num_examples].sort().values, seed


def _fisher_steps(network: nn.Module, data: PermutedData, indices: Tensor) -> Generator[tuple[int, int], None, dict[str, Tensor]]:
    steps = exact_fisher_steps(network, lambda start, stop: data.training_inputs(indices[start:stop]), len(indices))
    while True:
        try:
            num_done = next(steps)
        except StopIteration as finished:
            fisher: dict[str, Tensor] = finished.value
            return fisher
        yield num_done, len(indices)
