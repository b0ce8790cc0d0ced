"""Split tasks: some classes of a data set, relabelled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ewc_core.data.source import DataSource
from ewc_core.data.task_data import Part
from ewc_core.errors import SpecError
from ewc_core.specs import LikelihoodName


def label_table(source: DataSource, classes: Sequence[int]) -> Tensor:
    """int64 [classes of the source]: the label that each class has in the task (its place in `classes`), else -1.

    Raises:
        SpecError: the source's targets are no classes, or one of `classes` is not among them.
    """
    if source.likelihood is not LikelihoodName.CATEGORICAL:
        raise SpecError(f"a split task needs classes; the data set's likelihood is {source.likelihood.value!r}", field="dataset")
    used = torch.cat([source.train_targets, source.test_targets]).bincount(minlength=source.num_outputs) > 0
    missing = [label for label in classes if not (0 <= label < source.num_outputs and used[label])]
    if missing:
        raise SpecError(
            f"classes {missing} do not exist: the data set has classes 0 to {source.num_outputs - 1}", field="classes"
        )
    table = torch.full((source.num_outputs,), -1)
    table[list(classes)] = torch.arange(len(classes))
    return table


def rows_of(labels: Tensor, part: Part) -> Tensor:
    """Rows int64 [n] of those examples of `part` that have a label in the table `labels`, in the order of `part`."""
    rows = torch.arange(len(part.targets)) if part.rows is None else part.rows
    return rows[labels[part.targets[rows]] >= 0]
