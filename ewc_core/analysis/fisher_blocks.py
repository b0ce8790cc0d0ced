"""Exact Fishers as sums over blocks of examples: units of work of bounded time, between which the sums can be stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ewc_core.fisher import fisher_steps
from ewc_core.generators import finished
from ewc_core.params import ParameterLayout
from ewc_core.specs import FisherEstimator, LikelihoodName

BLOCK = 256
Read = Callable[[int, int], tuple[Tensor, Tensor]]
Select = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Block:
    """Examples `indices` of a task, whose Fisher goes into the sum `into`."""

    into: str
    task: int
    indices: Tensor


class FisherSums:
    """Sums over examples of exact Fishers at a network's present parameters, by key; float64."""

    def __init__(self, network: nn.Module, layout: ParameterLayout, keys: list[str]) -> None:
        self._network, self._layout = network, layout
        self.tensors = {key: torch.zeros(layout.num_parameters, dtype=torch.float64) for key in keys}

    def add(self, block: Block, read: Read, *, likelihood: LikelihoodName, select: Select | None = None) -> None:
        """Add the Fishers of a block's examples, which `read(start, stop)` gives by position in it."""
        steps = fisher_steps(
            self._network,
            read,
            len(block.indices),
            estimator=FisherEstimator.EXACT,
            likelihood=likelihood,
            select=select,
            seed=0,
        )
        self.tensors[block.into] += len(block.indices) * self._layout.join(finished(steps), dtype=torch.float64)


def blocks_of(into: str, task: int, indices: Tensor) -> list[Block]:
    """The examples in blocks of at most `BLOCK`."""
    return [Block(into, task, part) for part in torch.split(indices, BLOCK)]
