"""The score of a network on a task."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ewc_core.data import SplitName, TaskData
from ewc_core.fisher.memory import examples_at_once
from ewc_core.fisher.untouched import untouched
from ewc_core.implementations import implementation
from ewc_core.metrics import SCORES, Measured, ScoreName
from ewc_core.scoring import Terms, measured
from ewc_core.specs import LikelihoodName
from ewc_core.supervised.heads import HeadView

MOST_EXAMPLES = 2048


def metric_of(data: TaskData) -> ScoreName:
    """What `score` measures on these data."""
    return "r2" if data.likelihood is LikelihoodName.GAUSSIAN else "accuracy"


def score(network: nn.Module, data: TaskData, view: HeadView, *, split: SplitName) -> float | None:
    """How well the network does on a split of a task, in eval mode: what `metric_of` names, None where it is undefined.
    Changes nothing."""
    return _terms(network, data, view, split).value


def measure(network: nn.Module, data: TaskData, view: HeadView, *, split: SplitName, random: torch.Generator) -> Measured:
    """The same with its interval, which `random` draws, and its chance level: of K outputs for classes, of two for each 0/1."""
    num_choices = {LikelihoodName.CATEGORICAL: view.stop - view.start, LikelihoodName.BERNOULLI: 2}.get(data.likelihood)
    return measured(metric_of(data), _terms(network, data, view, split), num_choices=num_choices, random=random)


def in_chunks(network: nn.Module, data: TaskData, split: SplitName) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of a split in order, as many at a time as a forward pass may hold in memory."""
    num_examples = data.num_examples(split)
    size = examples_at_once(network, data.read_range(split, 0, min(3, num_examples))[0], most=MOST_EXAMPLES)
    for start in range(0, num_examples, size):
        yield data.read_range(split, start, min(start + size, num_examples))


def _terms(network: nn.Module, data: TaskData, view: HeadView, split: SplitName) -> Terms:
    """Those of the view's outputs against the view's targets."""
    with untouched(network), torch.no_grad():
        chunks = ((view.outputs(network(inputs)), view.targets(targets)) for inputs, targets in in_chunks(network, data, split))
        terms: Terms = implementation(SCORES[metric_of(data)].measure)(chunks, data.likelihood)
    return terms
