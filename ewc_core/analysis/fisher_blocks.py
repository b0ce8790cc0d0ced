"""Exact Fishers as sums over blocks of examples: units of work of bounded time, between which the sums can be stored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ewc_core.analysis.target import Sample
from ewc_core.fisher import fisher_steps
from ewc_core.generators import finished
from ewc_core.params import ParameterLayout
from ewc_core.specs import FisherEstimator

BLOCK = 256


@dataclass(frozen=True)
class Block:
    """The examples from `start` to `stop` of a sample, whose Fisher goes into the sum `into`."""

    into: str
    sample: Sample
    start: int
    stop: int


class FisherSums:
    """Sums over examples of exact Fishers at a network's present parameters, by key; float64."""

    def __init__(self, network: nn.Module, layout: ParameterLayout, keys: list[str]) -> None:
        self._network, self._layout = network, layout
        self.tensors = {key: torch.zeros(layout.num_parameters, dtype=torch.float64) for key in keys}

    def add(self, block: Block) -> None:
        """Add the Fishers of a block's examples."""
        sample, size = block.sample, block.stop - block.start
        steps = fisher_steps(
            self._network,
            lambda start, stop: sample.read(block.start + start, block.start + stop),
            size,
            estimator=FisherEstimator.EXACT,
            likelihood=sample.likelihood,
            select=sample.select,
            seed=0,
        )
        self.tensors[block.into] += size * self._layout.join(finished(steps), dtype=torch.float64)


def blocks_of(into: str, sample: Sample) -> list[Block]:
    """The sample in blocks of at most `BLOCK`."""
    return [Block(into, sample, start, min(start + BLOCK, sample.size)) for start in range(0, sample.size, BLOCK)]
