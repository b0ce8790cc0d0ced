"""What the inputs of a data set look like to the network. Time and memory are bounded: of large data, rows are left out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.data.source import DataSource
from ewc_core.seeding import generator

NUMBERS_LOOKED_AT = 2**26
NUMBERS_AVERAGED = 2**22
_CHUNK = 2**22
_WORDS = {torch.uint8: torch.uint8, torch.float32: torch.int32}
_FEWEST_ROWS_TO_COUNT = 20  # fewer happen to be consecutive numbers


@dataclass(frozen=True)
class Repeats:
    """The share of test examples whose inputs are those of a training example, and of distinct training examples."""

    share_of_test_in_training: float
    share_distinct: float


@dataclass(frozen=True)
class InputFacts:
    """Over `num_examples` training examples, evenly spaced, as tasks read them (after a division); mean and standard
    deviation over fewer of them.

    `largest_of_test` is the largest size in the test examples. `largest_of_column` float64 [features] is the largest size in
    each feature of the flattened inputs. `constant`, `row_numbers` and `targets` int64 [n] are the features with one value,
    those that number all examples without a gap, and those that are the target itself. `is_sparse` is whether most numbers
    outside constant features are 0. `repeats` is None where data are too many to compare.
    """

    num_examples: int
    smallest: float
    largest: float
    mean: float
    standard_deviation: float
    largest_of_test: float
    largest_of_column: Tensor
    constant: Tensor
    row_numbers: Tensor
    targets: Tensor
    is_sparse: bool
    repeats: Repeats | None

    @classmethod
    def of(cls, source: DataSource) -> InputFacts:
        """Look at a source."""
        train, test = source.train_inputs.flatten(1), source.test_inputs.flatten(1)
        rows, scale = _spaced(train, NUMBERS_LOOKED_AT), source.largest or 1
        smallest, largest = rows.amin(0), rows.amax(0)
        averaged = _spaced(rows, NUMBERS_AVERAGED).double() / scale
        return cls(
            num_examples=len(rows),
            smallest=float(smallest.min()) / scale,
            largest=float(largest.max()) / scale,
            mean=float(averaged.mean()),
            standard_deviation=float(averaged.std(correction=0)),
            largest_of_test=max(abs(float(bound)) for bound in _spaced(test, NUMBERS_LOOKED_AT).aminmax()) / scale,
            largest_of_column=torch.maximum(largest.double().abs(), smallest.double().abs()) / scale,
            constant=(smallest == largest).nonzero().flatten(),
            row_numbers=_row_numbers(train, test) if len(rows) == len(train) else torch.empty(0, dtype=torch.int64),
            targets=_targets(train, source.train_targets),
            is_sparse=float((averaged[:, smallest != largest] == 0.0).double().mean()) > 0.5,
            repeats=_repeats(train, test),
        )


def _spaced(rows: Tensor, num_numbers: int) -> Tensor:
    """Evenly spaced rows with at most about so many numbers, as a view."""
    return rows[:: -(-rows.numel() // num_numbers)]


def _row_numbers(train: Tensor, test: Tensor) -> Tensor:
    num_rows = len(train) + len(test)
    if num_rows < _FEWEST_ROWS_TO_COUNT:
        return torch.empty(0, dtype=torch.int64)
    both = (train, test)
    span = torch.stack([part.amax(0) for part in both]).amax(0).double() - torch.stack([part.amin(0) for part in both]).amin(0)
    found = []
    for column in (span == num_rows - 1).nonzero().flatten().tolist():
        values = torch.cat([train[:, column], test[:, column]]).double().sort().values
        if bool((values.diff() == 1.0).all()):
            found.append(column)
    return torch.tensor(found, dtype=torch.int64)


def _targets(inputs: Tensor, targets: Tensor) -> Tensor:
    """Columns of the inputs [n, features] that are the only column of the targets, where these are not all alike."""
    only = targets.reshape(len(targets), -1)
    found = torch.arange(inputs.shape[1])
    if only.shape[1] > 1 or len(inputs) < _FEWEST_ROWS_TO_COUNT or bool((only == only[0]).all()):
        return found[:0]
    parts = (torch.split(rows, _FEWEST_ROWS_TO_COUNT) for rows in (inputs, only))
    for rows, its in zip(*parts, strict=True):
        found = found[(rows[:, found] == its).all(0)]
        if len(found) == 0:
            break
    return found


def _repeats(train: Tensor, test: Tensor) -> Repeats | None:
    if train.numel() + test.numel() > NUMBERS_LOOKED_AT:
        return None
    ours, theirs = _hashes(train), _hashes(test)
    return Repeats(float(torch.isin(theirs, ours).double().mean()), len(torch.unique(ours)) / len(ours))


def _hashes(rows: Tensor) -> Tensor:
    """int64 [n], equal for equal rows: a random linear form of their bits, modulo 2⁶⁴."""
    words = rows.view(torch.int64 if rows.shape[1] * rows.element_size() % 8 == 0 else _WORDS[rows.dtype])
    weights = torch.randint(-(2**62), 2**62, (words.shape[1],), generator=generator(0, "row-hashes"))
    parts = torch.split(words, max(1, _CHUNK // words.shape[1]))
    return torch.cat([(part.to(torch.int64) * weights).sum(1) for part in parts])
