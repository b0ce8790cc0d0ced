"""The tasks of a job: their data, and the outputs that each uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import Tensor, nn

from ewc_core.data import Sources, SplitName, TaskData
from ewc_core.errors import SpecError
from ewc_core.seeding import PathPart
from ewc_core.specs import AtariTask, GymnasiumTask, SupervisedSpec, TaskSpec
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.supervised.batches import ShuffledBatches
from ewc_core.supervised.evaluate import score
from ewc_core.supervised.heads import HeadPlan, HeadView, check_head
from ewc_core.supervised.learner import Segment


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

    def require(self, index: int, task: AnyTaskSpec) -> None:
        """Know `task` under `index`: the next one, or one known already.

        Raises:
            SpecError: `index` is another task's or not the next; or the task does not fit.
        """
        if isinstance(task, AtariTask | GymnasiumTask):
            raise SpecError(f"task {index} is the game {task.title!r}; this job learns from data", field="task")
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

    def segment(self, index: int, positions: Tensor, *, seen: Iterable[int]) -> Segment:
        """Training examples `positions` [n] of a task, with the task's outputs."""
        inputs, targets = self._data[index].read("train", positions)
        view = self.view(index, seen=seen)
        return Segment(inputs, view.targets(targets), view.select)

    def scores(self, network: nn.Module, seen: Sequence[int], *, split: SplitName) -> dict[int, float]:
        """The network's score on each of the tasks `seen` where it is defined, by index."""
        found = ((index, score(network, self._data[index], self.view(index, seen=seen), split=split)) for index in seen)
        return {index: value for index, value in found if value is not None}

    def batches(self, index: int, *path: PathPart) -> ShuffledBatches:
        """Minibatches of a task; `path` names the shuffle."""
        num_examples = self._data[index].num_examples("train")
        return ShuffledBatches(num_examples, self._spec.training.batch_size, seed=self._spec.seed, path=path)

    def other_batches(self, index: int, visit_index: int, visited: Iterable[int]) -> list[tuple[int, ShuffledBatches]]:
        """Minibatches of the tasks `visited` before, without task `index` itself: what joint training adds to it."""
        others = [task for task in sorted(visited) if task != index]
        return [(task, self.batches(task, "joint", visit_index, task)) for task in others]

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
