"""The spec of a supervised job: one network, one ordered sequence of tasks, one method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ewc_core.errors import SpecError
from ewc_core.specs.base import refuse, require_all
from ewc_core.specs.execution import ExecutionSpec
from ewc_core.specs.heads import HeadKind, HeadSpec
from ewc_core.specs.kind import JobKind
from ewc_core.specs.method import DropoutMethod, MethodSpec
from ewc_core.specs.network import MAX_PARAMETERS, MLPSpec, NetworkSpec, PluginNetworkSpec, count_parameters
from ewc_core.specs.tasks import DataTask, SplitTask, TaskSpec, task_shape
from ewc_core.specs.training import TrainingSpec

if TYPE_CHECKING:
    from ewc_core.specs.any_task import AnyTaskSpec

Control = Literal["naive", "joint"]
JobName = Annotated[str, Field(min_length=1, max_length=128, description="for people; it need not be the only one of its kind")]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(description="your own words about it, kept as they are"),
]
MAX_TASKS = 1000
NEWEST_VERSION: Literal[1, 2] = 2


class SupervisedSpec(JobKind):
    """One network, one ordered sequence of tasks, one method.

    `controls` are trained beside the method on the same minibatches, so that its scores never stand alone.
    With `stream` "open" more tasks may be announced while the job runs; a closed stream ends after the last task.
    The same spec and seed give the same bits for one `num_threads` on one type of CPU.

    `spec_version` is what the spec means: in version 2 examples are held out class by class, so that no class loses its
    last training example; the index of a table is no feature; and tasks of a shared head with `num_outputs` may lack
    classes. Version 1 is what jobs mean that were stored without a version.
    """

    run: ClassVar[str] = "ewc_core.supervised.run:take_up"
    has_tasks: ClassVar[bool] = True
    target: ClassVar[str | None] = "ewc_core.supervised.target:SupervisedTarget"
    answers: ClassVar[frozenset[str]] = frozenset({"overlap", "perturbation", "capacity"})
    checked_by: ClassVar[str | None] = "ewc_core.supervised.check:look"
    sized_by: ClassVar[str | None] = "ewc_core.specs.size:least_supervised_size"

    kind: Literal["supervised"] = "supervised"
    spec_version: Literal[1, 2] = NEWEST_VERSION
    name: JobName | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="every random choice follows from it")
    num_threads: int = Field(default=1, ge=1, le=64, description="CPU threads; another number gives other last bits")
    execution: ExecutionSpec = ExecutionSpec()
    network: NetworkSpec = MLPSpec()
    heads: HeadSpec = HeadSpec()
    training: TrainingSpec = TrainingSpec()
    method: MethodSpec
    controls: list[Control] = Field(default=[], max_length=2)
    tasks: list[TaskSpec] = Field(min_length=1, max_length=MAX_TASKS)
    stream: Literal["closed", "open"] = "closed"
    metadata: Metadata = Field(default={}, max_length=16)

    @property
    def methods(self) -> list[str]:
        """Kinds of everything that is trained: the method first, then the controls."""
        return [self.method.kind, *self.controls]

    @property
    def planned_tasks(self) -> Sequence[TaskSpec]:
        """The tasks that the spec names, by index."""
        return self.tasks

    @property
    def planned_visits(self) -> list[int]:
        """One visit per task, in order."""
        return list(range(len(self.tasks)))

    @property
    def is_open(self) -> bool:
        """Whether tasks may be announced while it runs."""
        return self.stream == "open"

    @property
    def networks_by_field(self) -> Mapping[str, NetworkSpec]:
        """Its network."""
        return {"network": self.network}

    def check_next_task(self, seen: Sequence[AnyTaskSpec], task: AnyTaskSpec) -> None:
        """Check that an announced task fits the network of a running job, as far as the specs alone say.

        Raises:
            SpecError: it is a game; its inputs or outputs do not fit, or there are too many tasks.
        """
        if not isinstance(task, DataTask):
            raise SpecError(f"task.kind {task.kind!r} is a game; a supervised job learns from data", field="task.kind")
        check_next_task(self, [other for other in seen if isinstance(other, DataTask)], task)

    @model_validator(mode="after")
    def _values_fit_together(self) -> SupervisedSpec:
        require_all(
            self._require_different_controls,
            self._require_tasks_that_fit,
            self._require_what_dropout_needs,
            self._require_bearable_size,
        )
        return self

    def _require_different_controls(self) -> None:
        if len(set(self.methods)) != len(self.methods):
            raise ValueError(f"controls {self.controls} must differ from each other and from the method {self.method.kind!r}")

    def _require_tasks_that_fit(self) -> None:
        checks: list[Callable[[], None]] = []
        first, with_class = self.tasks[0], defaultdict[int, list[TaskSpec]](list)
        for index, task in enumerate(self.tasks):
            classes = task.classes if isinstance(task, SplitTask) else []
            # Of a thousand tasks that came before, only those with a class in common can be in the way.
            rivals = [other for label in classes for other in with_class[label]]
            if index > 0:
                checks.append(partial(_require_fit, self, [first, *rivals], task, f"tasks.{index}"))
            if self.heads.kind is HeadKind.GROWING:
                for label in classes:
                    with_class[label].append(task)
        require_all(*checks)

    def _require_what_dropout_needs(self) -> None:
        if isinstance(self.method, DropoutMethod):
            refuse(
                "method 'dropout' stops early and needs training.num_validation_examples > 0"
                if self.training.num_validation_examples == 0
                else None,
                "method 'dropout' puts dropout into networks of kind 'mlp' and 'conv', not into a plug-in's"
                if isinstance(self.network, PluginNetworkSpec)
                else None,
            )

    def _require_bearable_size(self) -> None:
        shape = task_shape(self.tasks[0])
        num_outputs = num_outputs_needed(self.heads, self.tasks)
        if shape is None or num_outputs is None:
            return
        size = count_parameters(self.network, input_shape=shape[0], num_outputs=num_outputs)
        if size is not None and size > MAX_PARAMETERS:
            sizes = {name: value for name, value in self.network.model_dump().items() if name != "kind"}
            raise ValueError(f"network with {sizes} has {size} parameters; at most {MAX_PARAMETERS} are allowed")


def num_outputs_needed(heads: HeadSpec, tasks: Sequence[TaskSpec]) -> int | None:
    """Outputs that the network of a job with these tasks must have; None where the data must be loaded to know.

    Raises:
        ValueError: `heads.num_outputs` is less than the tasks need.
    """
    shapes = [task_shape(task) for task in tasks]
    sizes = [shape[1] for shape in shapes if shape is not None]
    if len(sizes) != len(shapes):
        return heads.num_outputs
    needed = max(sizes) if heads.kind is HeadKind.SHARED else sum(sizes)
    if heads.num_outputs is not None and heads.num_outputs < needed:
        raise ValueError(f"heads.num_outputs is {heads.num_outputs}, but the tasks need {needed} outputs")
    return heads.num_outputs or needed


def check_next_task(spec: SupervisedSpec, seen: Sequence[TaskSpec], task: TaskSpec) -> None:
    """Check that an announced task fits the network of a running job, as far as the specs alone say.

    Raises:
        SpecError: the task's inputs or outputs do not fit, or there are too many tasks.
    """
    if len(seen) >= MAX_TASKS:
        raise SpecError(f"the job has {len(seen)} tasks; at most {MAX_TASKS} are allowed", field="task")
    try:
        _require_fit(spec, seen, task, "task")
        reserved = num_outputs_needed(spec.heads, spec.tasks)
        if reserved is not None:
            num_outputs_needed(HeadSpec(kind=spec.heads.kind, num_outputs=reserved), [*seen, task])
    except ValueError as error:
        field, _, message = str(error).partition(": ")
        if field not in ("task.dataset", "task.classes"):
            field, message = "task.dataset", str(error)
        raise SpecError(message, field=field) from error


def _require_fit(spec: SupervisedSpec, seen: Sequence[TaskSpec], task: TaskSpec, field: str) -> None:
    heads, may_lack_classes = spec.heads, spec.heads.num_outputs is not None and spec.spec_version > 1
    first, shape = task_shape(seen[0]), task_shape(task)
    if first is not None and shape is not None:
        is_of_one_size = heads.kind is HeadKind.SHARED and not may_lack_classes
        differs = first[0] != shape[0] or (is_of_one_size and first[1] != shape[1])
        if differs:
            may_help = is_of_one_size and first[0] == shape[0]
            hint = "; give heads.num_outputs where labels mean the same in all tasks and some lack classes" if may_help else ""
            raise ValueError(
                f"{field}.dataset: {task.title!r} has inputs of shape {list(shape[0])} and {shape[1]} outputs, the first task "
                f"{seen[0].title!r} has inputs of shape {list(first[0])} and {first[1]}; one network learns them all{hint}"
            )
    if heads.kind is HeadKind.GROWING and isinstance(task, SplitTask):
        for other in seen:
            if isinstance(other, SplitTask) and other.dataset == task.dataset and set(other.classes) & set(task.classes):
                shared = sorted(set(other.classes) & set(task.classes))
                raise ValueError(
                    f"{field}.classes: {shared} belong to the earlier task {other.title!r}; with heads.kind 'growing' every task "
                    "brings classes of its own (a task that comes back is a revisit)"
                )
