"""The tasks of a job: their data, and the outputs that each uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path

import torch
from torch import Tensor, nn

from ewc_core.data import Sources, SplitName, TaskData
from ewc_core.data.as_read import SPLITS, DataAsRead, DataWarning, TaskRead, data_as_read
from ewc_core.data.data_warnings import data_warnings, scales_differ
from ewc_core.errors import DataChanged, SpecError, StateFormatError
from ewc_core.metrics import Measured
from ewc_core.mistakes import Mistakes
from ewc_core.seeding import PathPart, generator
from ewc_core.specs import AtariTask, GymnasiumTask, HeadKind, LikelihoodName, SupervisedSpec, TaskSpec
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.supervised.batches import ShuffledBatches
from ewc_core.supervised.evaluate import measure, score
from ewc_core.supervised.heads import HeadPlan, HeadView, check_head
from ewc_core.supervised.learner import Segment


class TaskBook:
    """Data and outputs by task index. Tasks of the spec are loaded and checked at once, announced ones when they come."""

    def __init__(self, spec: SupervisedSpec, *, data_dir: Path | None, known_digests: Mapping[str, str] | None = None) -> None:
        """Load the data of the spec's tasks; `known_digests`, by name, are those of data that were read before.

        Raises:
            SpecError: all that does not fit; `field` says what is wrong first. DatasetUnavailable: files are missing.
                DataChanged: data are not what they were; all of them are named.
            StateFormatError: a file is damaged, and nothing else is wrong.
        """
        self._spec = spec
        self._sources = Sources(data_dir, known_digests=known_digests, spec_version=spec.spec_version)
        self._specs: list[TaskSpec] = []
        self._data: list[TaskData] = []
        mistakes = Mistakes()
        loaded: dict[int, TaskData] = {}
        for index, task in enumerate(spec.tasks):
            with mistakes.noted():
                loaded[index] = self._load(index, task)
        first = next(iter(loaded.values()), None)
        for index, data in loaded.items():
            with mistakes.noted():
                self._check(index, spec.tasks[index], data, first or data)
        _tell_changes_as_one(spec.tasks, mistakes)
        mistakes.require_none()
        self._specs.extend(spec.tasks)
        self._data.extend(loaded.values())
        self.heads = HeadPlan(spec.heads, [data.num_outputs for data in self._data], shares_all=_shares_all(spec, self._data[0]))

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by name of everything that was read."""
        return self._sources.digests

    @property
    def specs(self) -> list[TaskSpec]:
        """The tasks known so far, by index."""
        return list(self._specs)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, the same for all tasks."""
        return self._data[0].input_shape

    def require(self, index: int, task: AnyTaskSpec) -> bool:
        """Know `task` under `index`: the next one, or one known already. Whether its data were loaded by this call.

        Raises:
            SpecError: `index` is another task's or not the next; or the task does not fit.
            DataChanged: its data are not what they were.
        """
        if isinstance(task, AtariTask | GymnasiumTask):
            raise SpecError(f"task {index} is the game {task.title!r}; this job learns from data", field="task")
        if index > len(self._specs):
            raise SpecError(f"task {index} cannot come now: {len(self._specs)} tasks are known")
        is_new = index == len(self._specs)
        if is_new:
            try:
                data = self._load(index, task)
            except DataChanged as error:
                raise _all_changed({index: task}, {index: error}) from error
            self.heads.add(data.num_outputs)
            self._check(index, task, data, self._data[0])
            self._specs.append(task)
            self._data.append(data)
        if self._specs[index] != task:
            raise SpecError(f"task {index} is {self._specs[index].title!r}, got {task.title!r}")
        return is_new

    def data(self, index: int) -> TaskData:
        """The examples of a task."""
        return self._data[index]

    def view(self, index: int, *, seen: Iterable[int]) -> HeadView:
        """The outputs of a task, with those of the tasks `seen` (which include it) competing where heads grow."""
        return self.heads.view(index, num_seen=max(seen) + 1)

    def segment(self, index: int, positions: Tensor, *, seen: Iterable[int]) -> Segment:
        """Training examples `positions` [n] of a task, with the task's outputs."""
        inputs, targets = self._data[index].read("train", positions)
        view = self.view(index, seen=seen)
        return Segment(inputs, view.targets(targets), view.select)

    def scores(self, network: nn.Module, seen: Sequence[int], *, split: SplitName) -> dict[int, float]:
        """The network's score on each of the tasks `seen` where it is defined, by index."""
        found = ((index, score(network, self._data[index], self.view(index, seen=seen), split=split)) for index in seen)
        return {index: value for index, value in found if value is not None}

    def measured(
        self, network: nn.Module, seen: Sequence[int], *, split: SplitName, path: Sequence[PathPart]
    ) -> dict[int, Measured]:
        """The network's cell of each of the tasks `seen`, by index; `path` and the task name the draw of its interval."""
        return {
            index: measure(
                network,
                self._data[index],
                self.view(index, seen=seen),
                split=split,
                random=generator(self._spec.seed, "interval", *path, index),
            )
            for index in seen
        }

    def batches(self, index: int, *path: PathPart) -> ShuffledBatches:
        """Minibatches of a task; `path` names the shuffle."""
        num_examples = self._data[index].num_examples("train")
        return ShuffledBatches(num_examples, self._spec.training.batch_size, seed=self._spec.seed, path=path)

    def other_batches(self, index: int, visit_index: int, visited: Iterable[int]) -> list[tuple[int, ShuffledBatches]]:
        """Minibatches of the tasks `visited` before, without task `index` itself: what joint training adds to it."""
        others = [task for task in sorted(visited) if task != index]
        return [(task, self.batches(task, "joint", visit_index, task)) for task in others]

    def read(self, index: int) -> TaskRead:
        """What is known of a task's data. Describing them never fails: what cannot be described is a warning."""
        data = self._data[index]
        try:
            described, warnings = self._described(data)
        except Exception as error:  # noqa: BLE001 a diagnostic must not end a job
            message = f"the data cannot be described: {type(error).__name__}: {error}; they are used all the same"
            return TaskRead(data.source.digests, None, (DataWarning("data_not_described", message),))
        return TaskRead(data.source.digests, described, warnings)

    def _described(self, data: TaskData) -> tuple[DataAsRead, tuple[DataWarning, ...]]:
        facts = self._sources.input_facts(data.source)
        described, warnings = data_as_read(data, facts), list(data_warnings(data, facts))
        first = self._data[0]
        if data.source is not first.source:
            apart = scales_differ(data_as_read(first, self._sources.input_facts(first.source)), described)
            warnings += [] if apart is None else [apart]
        return described, tuple(warnings)

    def _load(self, index: int, task: TaskSpec) -> TaskData:
        try:
            return self._sources.task(task, num_validation_examples=self._spec.training.num_validation_examples)
        except (SpecError, StateFormatError) as error:  # one for all tasks on the data set
            here = copy(error)
            here.field = f"tasks.{index}.{error.field or 'dataset'}"
            raise here from error

    def _check(self, index: int, task: TaskSpec, data: TaskData, first: TaskData) -> None:
        check_head(self._spec.heads.kind, data.likelihood, index)
        _require_like_first(index, task, data, first)
        if not _shares_all(self._spec, first):
            _require_all_classes(index, task, data)


def _shares_all(spec: SupervisedSpec, first: TaskData) -> bool:
    """Whether tasks may lack classes of a shared head. Jobs of before specs had versions mask what a task has not."""
    heads, is_labels = spec.heads, first.likelihood is LikelihoodName.CATEGORICAL
    return heads.kind is HeadKind.SHARED and heads.num_outputs is not None and is_labels and spec.spec_version > 1


def _tell_changes_as_one(tasks: Sequence[TaskSpec], mistakes: Mistakes) -> None:
    changed = {error.field: error for error in mistakes.found if isinstance(error, DataChanged)}
    if changed:
        errors = {int(field.split(".")[1]): error for field, error in changed.items()}
        others = [error for error in mistakes.found if not isinstance(error, DataChanged)]
        mistakes.found = [*others, _all_changed({index: tasks[index] for index in errors}, errors)]


def _all_changed(tasks: Mapping[int, TaskSpec], errors: Mapping[int, DataChanged]) -> DataChanged:
    """One error that names every change with the tasks that it is in."""
    changed = {name: what for error in errors.values() for name, what in error.changed.items()}
    parts = []
    for name, what in changed.items():
        its = [f"{index} ({tasks[index].title!r})" for index, error in errors.items() if name in error.changed]
        more = f" and {len(its) - 5} more" if len(its) > 5 else ""
        parts.append(f"{name} of task{'s' if len(its) > 1 else ''} {', '.join(its[:5])}{more}: {what}")
    return DataChanged(
        f"data are no longer what this job, or its sweep, has read before: {'; '.join(parts)}. Put the old data back (new ones "
        "belong under another name) and retry the job, or submit a new job for the new data",
        field=next(iter(errors.values())).field,
        changed=changed,
    )


def _require_all_classes(index: int, task: TaskSpec, data: TaskData) -> None:
    if data.likelihood is not LikelihoodName.CATEGORICAL:
        return
    counts = torch.stack([data.label_counts(split) for split in SPLITS]).sum(0)
    unused = (counts == 0).nonzero().flatten()
    if len(unused):
        raise SpecError(
            f"task {index} ({task.title!r}): labels must be 0 to K-1: the largest is {data.num_outputs - 1}, but no example has "
            f"label {int(unused[0])}. Where labels mean the same in all tasks and some lack classes, give the number of classes "
            "as heads.num_outputs with heads.kind 'shared'",
            field=f"tasks.{index}.dataset",
        )


def _require_like_first(index: int, task: TaskSpec, data: TaskData, first: TaskData) -> None:
    for what, mine, its in (
        ("inputs of shape", data.input_shape, first.input_shape),
        ("likelihood", data.likelihood.value, first.likelihood.value),
    ):
        if mine != its:
            raise SpecError(
                f"task {index} ({task.title!r}) has {what} {mine}, the first task {its}; one network learns them all",
                field=f"tasks.{index}.dataset",
            )
