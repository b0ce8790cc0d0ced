"""The score of a network on a task."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ewc_core.data import SplitName, TaskData
from ewc_core.metrics import ScoreName
from ewc_core.specs import LikelihoodName
from ewc_core.supervised.heads import HeadView

_CHUNK = 2048


def metric_of(data: TaskData) -> ScoreName:
    """What `score` measures on these data."""
    return "r2" if data.likelihood is LikelihoodName.GAUSSIAN else "accuracy"


def score(network: nn.Module, data: TaskData, view: HeadView, *, split: SplitName) -> float | None:
    """How well the network does on a split of a task, in eval mode; changes nothing.

    Categorical: accuracy in [0, 1], the largest of the view's outputs against the label. Bernoulli: share of outputs on
    the right side of 0, in [0, 1]. Gaussian: R² = 1 − Σ(f − y)² / Σ(y − ȳ)², at most 1, over all output columns
    together; ȳ is the split's mean per column. None: R² where every column of the targets is constant.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            if data.likelihood is LikelihoodName.GAUSSIAN:
                return _r_squared(network, data, view, split)
            is_right = _class_is_right if data.likelihood is LikelihoodName.CATEGORICAL else _signs_are_right
            return _mean_right(network, data, view, split, is_right)
    finally:
        network.train(was_training)


def _mean_right(
    network: nn.Module, data: TaskData, view: HeadView, split: SplitName, is_right: Callable[[Tensor, Tensor], Tensor]
) -> float:
    num_right, num_in_all = 0, 0
    for start in range(0, data.num_examples(split), _CHUNK):
        inputs, targets = data.read_range(split, start, min(start + _CHUNK, data.num_examples(split)))
        right = is_right(view.outputs(network(inputs)), view.targets(targets))
        num_right += int(right.sum())
        num_in_all += right.numel()
    return num_right / num_in_all


def _class_is_right(outputs: Tensor, labels: Tensor) -> Tensor:
    return outputs.argmax(dim=1) == labels


def _signs_are_right(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs > 0) == (targets > 0.5)


def _r_squared(network: nn.Module, data: TaskData, view: HeadView, split: SplitName) -> float | None:
    num_examples = data.num_examples(split)
    _, targets = data.read_range(split, 0, num_examples)
    if bool((targets == targets[0]).all()):  # not a spread of 0: the mean of equal numbers may be rounded
        return None
    exact = targets.double()
    spread = float((exact - exact.mean(dim=0)).square().sum())
    error = 0.0
    for start in range(0, num_examples, _CHUNK):
        inputs, part = data.read_range(split, start, min(start + _CHUNK, num_examples))
        error += float((view.outputs(network(inputs)).double() - part.double()).square().sum())
    return 1.0 - error / spread
