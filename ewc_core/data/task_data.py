"""The examples of one task, as training and evaluation read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ewc_core.data.source import DataSource

SplitName = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Part:
    """Examples of one split: rows int64 [n] of `inputs` [m, features] and `targets`; `rows` None means all, in order."""

    inputs: Tensor
    targets: Tensor
    rows: Tensor | None

    def __len__(self) -> int:
        return len(self.targets) if self.rows is None else len(self.rows)


class TaskData:
    """One task's examples. Nothing is copied: what is read is gathered, scaled and transformed at that moment, so that a
    job with many tasks on one data set holds it in memory once."""

    def __init__(
        self,
        source: DataSource,
        parts: Mapping[SplitName, Part],
        *,
        transform: Callable[[Tensor], Tensor] | None = None,
        labels: Tensor | None = None,
        num_outputs: int | None = None,
    ) -> None:
        """`transform` maps inputs float32 [n, features] to new ones; `labels` int64 [classes] gives each class of the
        source its label in the task, and `num_outputs` is then their number."""
        self.source = source
        self.likelihood = source.likelihood
        self.num_outputs = source.num_outputs if num_outputs is None else num_outputs
        self.input_shape = source.input_shape
        self._largest = source.largest
        self._parts = dict(parts)
        self._transform = transform
        self._labels = labels

    def num_examples(self, split: SplitName) -> int:
        """Size of a split; 0 for a validation part that was not asked for."""
        return len(self._parts[split])

    def label_counts(self, split: SplitName) -> Tensor:
        """Examples of each class in a split, int64 [num_outputs]; categorical targets only."""
        part = self._parts[split]
        targets = part.targets if part.rows is None else part.targets.index_select(0, part.rows)
        if self._labels is not None:
            targets = self._labels.index_select(0, targets)
        return targets.bincount(minlength=self.num_outputs)

    def read(self, split: SplitName, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs float32 [n, *input_shape] and targets (int64 [n], or float32 [n, num_outputs]) of the examples `indices`
        int64 [n] of the split. Both are fresh tensors."""
        part = self._parts[split]
        rows = indices if part.rows is None else part.rows.index_select(0, indices)
        return self._finish(part.inputs.index_select(0, rows), part.targets.index_select(0, rows))

    def read_range(self, split: SplitName, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """The examples start to stop-1 of the split, as `read` gives them; fewer where the split ends."""
        part = self._parts[split]
        if part.rows is not None:
            return self.read(split, torch.arange(*slice(start, stop).indices(len(part))))
        return self._finish(part.inputs[start:stop].clone(), part.targets[start:stop].clone())

    def _finish(self, raw: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        inputs = raw.to(torch.float32)  # before any gather of columns: several times faster on floats than on bytes
        if self._largest is not None:
            inputs.div_(self._largest)
        if self._transform is not None:
            inputs = self._transform(inputs)
        if self._labels is not None:
            targets = self._labels.index_select(0, targets)
        return inputs.view(len(inputs), *self.input_shape), targets
