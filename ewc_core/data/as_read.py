"""Data as read: what a task's data look like once they are loaded, for whoever sent them to compare with what was meant."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ewc_core.data.digests import Digest
from ewc_core.data.input_facts import InputFacts
from ewc_core.data.task_data import SplitName, TaskData
from ewc_core.specs import LikelihoodName

MOST_NAMED = 20
MOST_CLASSES_COUNTED = 100
_LONGEST_NAME = 100
_NEARLY_ALL = 0.9
_PARTS = {"train": "training", "validation": "validation", "test": "test"}
SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Numbers:
    """Smallest, largest, mean and standard deviation of many numbers."""

    smallest: float
    largest: float
    mean: float
    standard_deviation: float


@dataclass(frozen=True)
class MergedColumn:
    """A column of which float32 keeps only `num_read` of `num_stored` distinct values (among the first rows)."""

    column: str
    num_stored: int
    num_read: int


@dataclass(frozen=True)
class DataAsRead:
    """A task's data as training sees them. Of long lists of columns the first `MOST_NAMED` are given.

    `dtype` is that of the inputs as they are stored. `scaling` says what is done to them, `inputs` how they then are, over
    `num_examples_looked_at` training examples; `targets` are those of real-valued targets. `num_of_class` has the examples
    of each class by split, and is empty for other targets and for more than `MOST_CLASSES_COUNTED` classes. A column of a
    table has its name, any other its number in the flattened input.
    """

    input_shape: tuple[int, ...]
    dtype: str
    scaling: str
    num_examples: Mapping[str, int]
    num_examples_looked_at: int
    inputs: Numbers
    likelihood: str
    num_outputs: int
    num_of_class: Mapping[str, tuple[int, ...]]
    targets: Numbers | None
    num_constant_columns: int
    constant_columns: tuple[str, ...]
    merged_columns: tuple[MergedColumn, ...]
    left_out_columns: tuple[str, ...]


@dataclass(frozen=True)
class DataWarning:
    """What is wrong with data: a stable code, and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class TaskRead:
    """What is known once the data of a task are loaded: digests of everything that they were read from, how they look (None:
    they could not be described), and what is suspicious about that."""

    digests: tuple[Digest, ...]
    as_read: DataAsRead | None
    warnings: tuple[DataWarning, ...]


def data_as_read(data: TaskData, facts: InputFacts) -> DataAsRead:
    """Describe the data of a task, whose source's inputs are as in `facts`."""
    source, stored = data.source, data.source.stored
    splits = [split for split in SPLITS if data.num_examples(split)]
    counts: dict[str, tuple[int, ...]] = {}
    if data.likelihood is LikelihoodName.CATEGORICAL and data.num_outputs <= MOST_CLASSES_COUNTED:
        counts = {split: tuple(data.label_counts(split).tolist()) for split in splits}
    merged = [
        MergedColumn(column_name(stored.columns, found.column), found.num_stored, found.num_read)
        for found in stored.merged[:MOST_NAMED]
    ]
    return DataAsRead(
        input_shape=source.input_shape,
        dtype=stored.dtype,
        scaling=_scaling(source.largest, stored.unit_range),
        num_examples={split: data.num_examples(split) for split in SPLITS},
        num_examples_looked_at=facts.num_examples,
        inputs=Numbers(facts.smallest, facts.largest, facts.mean, facts.standard_deviation),
        likelihood=data.likelihood.value,
        num_outputs=data.num_outputs,
        num_of_class=counts,
        targets=_numbers(source.train_targets) if data.likelihood is LikelihoodName.GAUSSIAN else None,
        num_constant_columns=len(facts.constant),
        constant_columns=column_names(stored.columns, facts.constant[:MOST_NAMED].tolist()),
        merged_columns=tuple(merged),
        left_out_columns=column_names(stored.left_out, range(len(stored.left_out))),
    )


def column_names(columns: Sequence[str], indices: Sequence[int]) -> tuple[str, ...]:
    """Names of the first `MOST_NAMED` of some columns."""
    return tuple(column_name(columns, index) for index in indices[:MOST_NAMED])


def column_name(columns: Sequence[str], index: int) -> str:
    """A column's name in its table (short, and without characters that not every database stores), else its number."""
    return columns[index][:_LONGEST_NAME].replace("\0", "\ufffd") if columns else str(index)


def in_a_line(read: DataAsRead) -> str:
    """The most important of it for people."""
    size = "x".join(map(str, read.input_shape))
    counts = " and ".join(f"{num} {_PARTS[split]}" for split, num in read.num_examples.items() if num)
    what = "class" if read.likelihood == LikelihoodName.CATEGORICAL else f"{read.likelihood} target"
    kind = what if read.num_outputs == 1 else f"{what}es" if what == "class" else f"{what}s"
    left_out = f", left out {', '.join(map(repr, read.left_out_columns))}" if read.left_out_columns else ""
    span = f"from {read.inputs.smallest:.3g} to {read.inputs.largest:.3g}"
    return f"{counts} examples of {size} ({read.dtype} {read.scaling}, {span}), {read.num_outputs} {kind}{_most(read)}{left_out}"


def _most(read: DataAsRead) -> str:
    """That nearly all training examples are of one class: an accuracy of that share is worth nothing."""
    counts = read.num_of_class.get("train", ())
    if len(counts) < 2 or max(counts) < _NEARLY_ALL * sum(counts):
        return ""
    share = math.floor(1000 * max(counts) / sum(counts)) / 10  # never rounded to 100
    return f" ({share} % of the training examples are of class {counts.index(max(counts))})"


def _scaling(largest: int | None, is_unit_range: bool) -> str:
    if is_unit_range:
        return "each column to [0, 1]"
    return "as they are" if largest is None else f"divided by {largest}"


def _numbers(values: Tensor) -> Numbers:
    exact = values.double()
    return Numbers(*(float(value) for value in (exact.min(), exact.max(), exact.mean(), exact.std(correction=0))))
