"""The tasks of a job: their data, and the outputs that each uses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ewc_core.data import Sources, TaskData
from ewc_core.errors import SpecError
from ewc_core.specs import SupervisedSpec, TaskSpec
from ewc_core.supervised.heads import HeadPlan, HeadView, check_head


class TaskBook:
    """Data and outputs by task index. Tasks of the spec are loaded and checked at once, announced ones when they come."""

    def __init__(self, spec: SupervisedSpec, *, data_dir: Path | None) -> None:
        """Load the data of the spec's tasks.

        Raises:
            SpecError: tasks do not fit together; `field` says which (DatasetUnavailable: files are missing).
            StateFormatError: a file is damaged.
        """
        self._spec = spec
        self._sources = Sources(data_dir)
        self._specs: list[TaskSpec] = []
        self._data: list[TaskData] = []
        for index, task in enumerate(spec.tasks):
            self._load(index, task)
        self.heads = HeadPlan(spec.heads, [data.num_outputs for data in self._data])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, the same for all tasks."""
        return self._data[0].input_shape

    def require(self, index: int, task: TaskSpec) -> None:
        """Know `task` under `index`: the next one, or one known already.

        Raises:
            SpecError: `index` is another task's or not the next; or the task does not fit.
        """
        if index > len(self._specs):
            raise SpecError(f"task {index} cannot come now: {len(self._specs)} tasks are known")
        if index == len(self._specs):
            self._load(index, task)
            self.heads.add(self._data[index].num_outputs)
        if self._specs[index] != task:
            raise SpecError(f"task {index} is {self._specs[index].title!r}, got {task.title!r}")

    def data(self, index: int) -> TaskData:
        """The examples of a task."""
        return self._data[index]

    def view(self, index: int, *, seen: Iterable[int]) -> HeadView:
        """The outputs of a task, with those of the tasks `seen` (which include it) competing where heads grow."""
        return self.heads.view(index, num_seen=max(seen) + 1)

    def _load(self, index: int, task: TaskSpec) -> None:
        try:
            data = self._sources.task(task, num_validation_examples=self._spec.training.num_validation_examples)
        except SpecError as error:
            error.field = f"tasks.{index}.{error.field or 'dataset'}"
            raise
        check_head(self._spec.heads.kind, data.likelihood, index)
        if self._data:
            _require_like_first(index, task, data, self._data[0])
        self._specs.append(task)
        self._data.append(data)


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
