"""The score of a network on a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ewc_core.data import SplitName, TaskData
from ewc_core.fisher.memory import examples_at_once
from ewc_core.fisher.untouched import untouched
from ewc_core.metrics import ScoreName
from ewc_core.specs import LikelihoodName
from ewc_core.supervised.heads import HeadView

MOST_EXAMPLES = 2048


def metric_of(data: TaskData) -> ScoreName:
    """What `score` measures on these data."""
    return "r2" if data.likelihood is LikelihoodName.GAUSSIAN else "accuracy"


def score(network: nn.Module, data: TaskData, view: HeadView, *, split: SplitName) -> float | None:
    """How well the network does on a split of a task, in eval mode; changes nothing.

    Categorical: accuracy in [0, 1], the largest of the view's outputs against the label. Bernoulli: share of outputs on
    the right side of 0, in [0, 1]. Gaussian: R² = 1 − Σ(f − y)² / Σ(y − ȳ)², at most 1, over all output columns
    together; ȳ is the split's mean per column. None: R² where every column of the targets is constant.
    """
    with untouched(network), torch.no_grad():
        if data.likelihood is LikelihoodName.GAUSSIAN:
            return _r_squared(network, data, view, split)
        is_right = _class_is_right if data.likelihood is LikelihoodName.CATEGORICAL else _signs_are_right
        return _mean_right(network, data, view, split, is_right)


def in_chunks(network: nn.Module, data: TaskData, split: SplitName) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of a split in order, as many at a time as a forward pass may hold in memory."""
    num_examples = data.num_examples(split)
    size = examples_at_once(network, data.read_range(split, 0, min(3, num_examples))[0], most=MOST_EXAMPLES)
    for start in range(0, num_examples, size):
        yield data.read_range(split, start, min(start + size, num_examples))


def _mean_right(
    network: nn.Module, data: TaskData, view: HeadView, split: SplitName, is_right: Callable[[Tensor, Tensor], Tensor]
) -> float:
    num_right, num_in_all = 0, 0
    for inputs, targets in in_chunks(network, data, split):
        right = is_right(view.outputs(network(inputs)), view.targets(targets))
        num_right += int(right.sum())
        num_in_all += right.numel()
    return num_right / num_in_all


def _class_is_right(outputs: Tensor, labels: Tensor) -> Tensor:
    return outputs.argmax(dim=1) == labels


def _signs_are_right(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs > 0) == (targets > 0.5)


def _r_squared(network: nn.Module, data: TaskData, view: HeadView, split: SplitName) -> float | None:
    parts, error = [], 0.0
    for inputs, part in in_chunks(network, data, split):
        parts.append(part.double())
        error += float((view.outputs(network(inputs)).double() - parts[-1]).square().sum())
    exact = torch.cat(parts)
    if bool((exact == exact[0]).all()):  # not a spread of 0: the mean of equal numbers may be rounded
        return None
    spread = float((exact - exact.mean(dim=0)).square().sum())
    return 1.0 - error / spread
