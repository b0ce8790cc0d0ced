"""Exact Fishers as sums over blocks of examples: units of work of bounded time, between which the sums can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.analysis.subject import OpenedSubject
from ewc_core.data import TaskData
from ewc_core.fisher import fisher_steps
from ewc_core.specs import FisherEstimator

BLOCK = 256


@dataclass(frozen=True)
class Block:
    """Examples `indices` of a task, whose Fisher goes into the sum `into`."""

    into: str
    task: int
    indices: Tensor


class FisherSums:
    """Sums over examples of exact Fishers at the subject's parameters, by key; float64."""

    def __init__(self, opened: OpenedSubject, keys: list[str]) -> None:
        self._opened = opened
        self.tensors = {key: torch.zeros(opened.parameters.layout.num_parameters, dtype=torch.float64) for key in keys}

    def add(self, block: Block, data: TaskData) -> None:
        """Add the Fishers of a block's examples."""
        steps = fisher_steps(
            self._opened.network,
            self._opened.reader(block.task, data, block.indices),
            len(block.indices),
            estimator=FisherEstimator.EXACT,
            likelihood=data.likelihood,
            select=self._opened.view(block.task).select,
            seed=0,
        )
        while True:
            try:
                next(steps)
            except StopIteration as finished:
                mean: Mapping[str, Tensor] = finished.value
                break
        self.tensors[block.into] += len(block.indices) * self._opened.parameters.layout.join(mean, dtype=torch.float64)


def blocks_of(into: str, task: int, indices: Tensor) -> list[Block]:
    """The examples in blocks of at most `BLOCK`."""
    return [Block(into, task, part) for part in torch.split(indices, BLOCK)]
