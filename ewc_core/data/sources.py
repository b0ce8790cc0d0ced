"""Data sets by spec, each loaded at most once, and the tasks made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ewc_core.data.arrays import load_arrays
from ewc_core.data.builtin import load_builtin
from ewc_core.data.digests import Reading
from ewc_core.data.held_out import classes_of, split_off_validation
from ewc_core.data.input_facts import InputFacts
from ewc_core.data.openml import load_openml
from ewc_core.data.permuted import permutation_of, square_permutation_of
from ewc_core.data.plugin import load_plugin_source
from ewc_core.data.rotated import Rotation
from ewc_core.data.source import DataSource
from ewc_core.data.split import label_table, rows_of
from ewc_core.data.task_data import Part, SplitName, TaskData
from ewc_core.errors import EwcError, SpecError
from ewc_core.specs import (
    ArraysDataset,
    DatasetName,
    DatasetSpec,
    OpenMLDataset,
    PermutedTask,
    RotatedTask,
    SplitTask,
    TaskSpec,
    dataset_title,
)
from ewc_core.specs.supervised import NEWEST_VERSION


class Sources:
    """The data sets of one job: tasks on the same data set share its tensors."""

    def __init__(
        self, data_dir: Path | None, *, known_digests: Mapping[str, str] | None = None, spec_version: int = NEWEST_VERSION
    ) -> None:
        """`data_dir` is the folder of data sets; only the digits and plug-ins do without one.

        `known_digests`, by name, are those of data that were read before. `spec_version` 1 reads data as jobs did before specs
        had versions: examples are held out whatever their class, and a table's index is a feature.
        """
        self._data_dir = data_dir
        self._known = dict(known_digests or {})
        self._spec_version = spec_version
        self._sources: dict[str, DataSource] = {}
        self._refused: dict[str, EwcError] = {}
        self._facts: dict[int, InputFacts] = {}
        self._training_rows: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by name of everything that was read, now or before."""
        return dict(self._known)

    def task(self, spec: TaskSpec, *, num_validation_examples: int = 0) -> TaskData:
        """The examples of a task, of which `num_validation_examples` training examples are held out.

        The held-out examples are the same in every task and job on a data set. A split task gets those of its classes.

        Raises:
            DatasetUnavailable: files are missing, no such plug-in is installed, OpenML cannot be reached.
            StateFormatError: a file is damaged.
            SpecError: the arrays, or what the task does with them, do not fit. `field` is a path within the task's spec.
            DataChanged: they have been read before, and were others.
        """
        source = self._source(spec.dataset)
        parts = self._parts(source, num_validation_examples, dataset_title(spec.dataset))
        if isinstance(spec, SplitTask):
            labels = label_table(source, spec.classes)
            parts = {split: Part(part.inputs, part.targets, rows_of(labels, part)) for split, part in parts.items()}
            _require_examples(parts, spec, num_validation_examples)
            return TaskData(source, parts, labels=labels, num_outputs=len(spec.classes))
        return TaskData(source, parts, transform=_transform(spec, source))

    def input_facts(self, source: DataSource) -> InputFacts:
        """What the inputs of a source look like; worked out once."""
        if id(source) not in self._facts:
            self._facts[id(source)] = InputFacts.of(source)
        return self._facts[id(source)]

    def _source(self, dataset: DatasetSpec) -> DataSource:
        key = dataset.value if isinstance(dataset, DatasetName) else dataset.model_dump_json()
        if key in self._refused:
            raise self._refused[key]
        if key not in self._sources:
            reading = Reading(self._known)
            try:
                self._sources[key] = self._load(dataset, reading)
            except EwcError as error:
                self._refused[key] = error
                raise
            self._known |= {digest.name: digest.sha256 for digest in reading.digests}
        return self._sources[key]

    def _load(self, dataset: DatasetSpec, reading: Reading) -> DataSource:
        try:
            source = _load(dataset, self._data_dir, reading, self._spec_version)
        except EwcError:
            reading.require_unchanged(field="dataset")  # what new content lacks is no matter where it must be the old one
            raise
        reading.require_unchanged(field="dataset")
        return replace(source, digests=tuple(reading.digests))

    def _parts(self, source: DataSource, num_validation_examples: int, title: str) -> dict[SplitName, Part]:
        inputs, targets = source.train_inputs.flatten(1), source.train_targets
        test = Part(source.test_inputs.flatten(1), source.test_targets, None)
        if num_validation_examples == 0:
            nothing = torch.empty(0, dtype=torch.int64)
            return {"train": Part(inputs, targets, None), "validation": Part(inputs, targets, nothing), "test": test}
        sizes = len(targets), num_validation_examples
        if num_validation_examples >= len(targets):
            raise SpecError(
                f"{num_validation_examples} validation examples are to be held out, but {title!r} has "
                f"{len(targets)} training examples, of which at least one must be left",
                field="dataset",
            )
        key = id(source), num_validation_examples
        if key not in self._training_rows:  # shared, because a job may have a thousand tasks
            classes = classes_of(targets, source.likelihood) if self._spec_version > 1 else None
            self._training_rows[key] = split_off_validation(*sizes, classes)
        train, validation = self._training_rows[key]
        return {"train": Part(inputs, targets, train), "validation": Part(inputs, targets, validation), "test": test}


def _load(dataset: DatasetSpec, data_dir: Path | None, reading: Reading, spec_version: int) -> DataSource:
    if isinstance(dataset, DatasetName):
        return load_builtin(dataset, data_dir, reading)
    if isinstance(dataset, ArraysDataset):
        return load_arrays(dataset, data_dir, reading, spec_version=spec_version)
    if isinstance(dataset, OpenMLDataset):
        return load_openml(dataset, data_dir, reading, spec_version=spec_version)
    return load_plugin_source(dataset, reading)


def _transform(spec: TaskSpec, source: DataSource) -> Callable[[Tensor], Tensor] | None:
    if isinstance(spec, PermutedTask) and spec.square is not None:
        return partial(torch.index_select, dim=1, index=square_permutation_of(spec.permutation, source.input_shape, spec.square))
    if isinstance(spec, PermutedTask) and spec.permutation != 0:
        return partial(torch.index_select, dim=1, index=permutation_of(spec.permutation, source.num_features))
    if isinstance(spec, RotatedTask):
        rotation = Rotation(spec.degrees, source.input_shape)
        return rotation if spec.degrees % 360.0 != 0.0 else None
    return None


def _require_examples(parts: dict[SplitName, Part], spec: SplitTask, num_validation_examples: int) -> None:
    for split, part in parts.items():
        if len(part) == 0 and (split != "validation" or num_validation_examples > 0):
            raise SpecError(
                f"the {split} part of {dataset_title(spec.dataset)!r} has no example of classes {spec.classes}", field="classes"
            )
