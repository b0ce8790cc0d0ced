"""Accuracy on a task's test set."""

from __future__ import annotations

import torch
from torch import nn

from ewc_core.data import PermutedData

_CHUNK = 2048


def accuracy(network: nn.Module, data: PermutedData) -> float:
    """Share of test examples, in [0, 1], whose largest logit is that of their label. Changes nothing."""
    num_correct = 0
    with torch.no_grad():
        for start in range(0, data.num_test_examples, _CHUNK):
            inputs, labels = data.test_examples(start, start + _CHUNK)
            num_correct += int((network(inputs).argmax(dim=1) == labels).sum())
    return num_correct / data.num_test_examples
