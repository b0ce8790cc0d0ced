"""Warnings about data that are almost surely not what their owner meant. Each says what was found, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ewc_core.data.as_read import MOST_NAMED, DataAsRead, DataWarning, column_name, column_names
from ewc_core.data.input_facts import InputFacts
from ewc_core.data.source import DataSource
from ewc_core.data.task_data import TaskData
from ewc_core.specs import LikelihoodName

FAR, NEAR = 100.0, 0.05
"""Between these the largest input is near enough to 1 for usual weights and rates."""

_FEW_VALUES = 16  # bytes up to this are codes, not brightnesses
_MOST_CHANNELS = 4
_SMALLEST_PICTURE = 5
_LOST = 0.9  # of a column's distinct values so many must be left
_LEAKED, _DISTINCT, _FEWEST_TEST = 0.5, 0.9, 10
_MANY_CLASSES, _FEW_PER_CLASS = 20, 3
_SCALES_APART = 50.0


def data_warnings(data: TaskData, facts: InputFacts) -> tuple[DataWarning, ...]:
    """Everything suspicious about the data of one task, whose source's inputs are as in `facts`."""
    warnings = [*_about_inputs(data.source, facts), *_about_targets(data)]
    return tuple(DataWarning(code, message) for code, message in warnings)


def scales_differ(first: DataAsRead, other: DataAsRead) -> DataWarning | None:
    """Two tasks of one network, of which one has inputs many times as large as the other's."""
    ours, theirs = (max(abs(read.inputs.smallest), abs(read.inputs.largest)) for read in (first, other))
    if min(ours, theirs) == 0.0 or max(ours, theirs) / min(ours, theirs) < _SCALES_APART:
        return None
    return DataWarning(
        "tasks_scaled_differently",
        f"the largest input is {theirs:.3g} ({other.dtype}, {other.scaling}), and {ours:.3g} in task 0 ({first.dtype}, "
        f"{first.scaling}); one network learns both: store the same quantity with the same type and scale in all tasks",
    )


def _about_inputs(source: DataSource, facts: InputFacts) -> Iterator[tuple[str, str]]:
    names = source.stored.columns
    largest = max(abs(facts.smallest), abs(facts.largest))
    if source.largest == 255 and 0.0 < facts.largest * 255 <= _FEW_VALUES + 0.5:
        yield (
            "small_bytes",
            f"the inputs are uint8 and at most {round(facts.largest * 255)}, and uint8 is divided by 255 as in pictures, so that "
            f"the network sees at most {facts.largest:.3g}; store numbers that are no brightness as float32 or bool",
        )
    elif 0.0 < largest < NEAR:
        yield (
            "inputs_far_from_unit_scale",
            f"the largest input is {largest:.3g}; scale inputs to about 1, or the network hardly sees them",
        )
    far = (facts.largest_of_column > FAR).nonzero().flatten()
    if len(far):
        yield (
            "inputs_far_from_unit_scale",
            f"inputs of size up to {largest:.3g} in {_columns(names, far)}; scale them to about 1 (subtract the mean and divide "
            "by the standard deviation of the training examples), or training diverges or follows these columns alone",
        )
    if _is_channels_last(source.input_shape):
        height, width, channels = source.input_shape
        yield (
            "channels_last",
            f"inputs of shape {list(source.input_shape)} are read as {height} channels of {width}x{channels}; these look like "
            f"pictures of {height}x{width} with {channels} channels, which must be stored as {[channels, height, width]}",
        )
    lost = [merged for merged in source.stored.merged if merged.num_read < _LOST * merged.num_stored]
    if lost:
        where = _columns(names, torch.tensor([merged.column for merged in lost]))
        worst = min(lost, key=lambda merged: merged.num_read / merged.num_stored)
        yield (
            "columns_merged",
            f"as float32, {worst.num_stored} distinct values of column {column_name(names, worst.column)!r} become "
            f"{worst.num_read}; this is so in {where}: subtract an offset (of "
            "times the first one) before storing, and leave out identifiers",
        )
    if facts.largest_of_test > _SCALES_APART * largest > 0.0 or largest > _SCALES_APART * facts.largest_of_test > 0.0:
        yield (
            "splits_scaled_differently",
            f"the largest input is {largest:.3g} among the training examples and {facts.largest_of_test:.3g} among the test "
            "examples; scale both in the same way",
        )
    # A hashed or counted text has many columns without a word, which is no mistake.
    silent = facts.constant[facts.largest_of_column[facts.constant] > 0.0] if facts.is_sparse else facts.constant
    if 2 * len(silent) > source.num_features:
        yield (
            "constant_columns",
            f"{len(silent)} of {source.num_features} inputs have one value in all training examples, and tell nothing",
        )
    if len(facts.row_numbers):
        yield (
            "row_numbers",
            f"{_columns(names, facts.row_numbers)} only number{'s' if len(facts.row_numbers) == 1 else ''} the examples; leave "
            "out what says nothing of an example",
        )
    if len(facts.targets):
        yield (
            "target_among_inputs",
            f"{_columns(names, facts.targets)} {'is' if len(facts.targets) == 1 else 'are'} the target itself, in every training "
            "example; leave it out of the inputs",
        )
    if facts.repeats is not None and len(source.test_targets) >= _FEWEST_TEST:
        repeats = facts.repeats
        if repeats.share_of_test_in_training >= _LEAKED and repeats.share_distinct >= _DISTINCT:
            yield (
                "test_in_training",
                f"{repeats.share_of_test_in_training:.0%} of the test examples are among the training examples: scores on them "
                "say nothing of new data",
            )


def _about_targets(data: TaskData) -> Iterator[tuple[str, str]]:
    if data.likelihood is LikelihoodName.GAUSSIAN:
        smallest, largest = (float(bound) for bound in data.source.train_targets.aminmax())
        if smallest == largest:
            yield ("constant_targets", f"all training targets are {largest:.3g}; nothing can be learned of them")
        elif not NEAR <= max(abs(smallest), abs(largest)) <= FAR:
            yield (
                "targets_far_from_unit_scale",
                f"targets from {smallest:.3g} to {largest:.3g}, which the likelihood takes to vary by about 1; scale them "
                "(subtract the mean and divide by the standard deviation of the training examples)",
            )
    elif data.likelihood is LikelihoodName.BERNOULLI:
        never = (data.source.train_targets.amax(0) == 0).nonzero().flatten()
        if len(never):
            yield ("class_missing", f"no training example has target 1 in {_columns((), never)}; nothing can be learned of it")
    elif data.likelihood is LikelihoodName.CATEGORICAL:
        yield from _about_classes(data)


def _about_classes(data: TaskData) -> Iterator[tuple[str, str]]:
    train, validation, test = (data.label_counts(split) for split in ("train", "validation", "test"))
    elsewhere = train + validation
    single = (elsewhere + test == 1).nonzero().flatten().tolist()
    if single:
        yield ("class_with_one_example", f"{_classes(single)} with one example only, which cannot be both learned and tested")
    unlearned = ((train == 0) & (validation + test > 1)).nonzero().flatten().tolist()
    untested = ((test == 0) & (elsewhere > 1)).nonzero().flatten().tolist()
    for classes, part in ((unlearned, "training"), (untested, "test")):
        if classes:
            yield ("class_missing", f"{_classes(classes)} without any {part} example, though other parts have some")
    num_used = int((train > 0).sum())
    if num_used >= _MANY_CLASSES and int(train.sum()) < _FEW_PER_CLASS * num_used:
        yield (
            "targets_like_numbers",
            f"{num_used} classes for {int(train.sum())} training examples; if the targets are amounts or numbers, and not names "
            "of classes, use likelihood 'gaussian' with targets scaled to about 1",
        )


def _is_channels_last(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[2] <= _MOST_CHANNELS and min(shape[:2]) >= _SMALLEST_PICTURE


def _columns(names: tuple[str, ...], indices: Tensor) -> str:
    return _listed("column", [repr(name) for name in column_names(names, indices[:MOST_NAMED].tolist())], len(indices))


def _classes(indices: list[int]) -> str:
    return _listed("class", [str(index) for index in indices[:MOST_NAMED]], len(indices))


def _listed(what: str, named: list[str], num_in_all: int) -> str:
    more = f" and {num_in_all - 5} more" if num_in_all > 5 else ""
    plural = {"class": "classes"}.get(what, f"{what}s") if num_in_all > 1 else what
    return f"{plural} {', '.join(named[:5])}{more}"
