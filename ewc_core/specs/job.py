"""The job spec: what a platform submits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ewc_core.errors import SpecError
from ewc_core.specs.base import Spec
from ewc_core.specs.datasets import DATASETS
from ewc_core.specs.method import MethodSpec
from ewc_core.specs.network import MAX_PARAMETERS, MLPSpec, NetworkSpec, count_parameters
from ewc_core.specs.tasks import TaskSpec
from ewc_core.specs.training import TrainingSpec

Control = Literal["naive", "joint"]
MAX_TASKS = 1000


class JobSpec(Spec):
    """One network, one ordered sequence of tasks, one method.

    `controls` are trained beside the method on the same minibatches, so that its scores never stand alone.
    With `stream` "open" more tasks may be announced while the job runs; a closed stream ends after the last task.
    The same spec and seed give the same bits for one `num_threads`.
    """

    kind: Literal["supervised"] = "supervised"
    name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    num_threads: int = Field(default=1, ge=1, le=64)
    network: NetworkSpec = MLPSpec()
    training: TrainingSpec = TrainingSpec()
    method: MethodSpec
    controls: list[Control] = Field(default=[], max_length=2)
    tasks: list[TaskSpec] = Field(min_length=1, max_length=MAX_TASKS)
    stream: Literal["closed", "open"] = "closed"
    metadata: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] = Field(default={}, max_length=16)

    @property
    def methods(self) -> list[str]:
        """Kinds of everything that is trained: the method first, then the controls."""
        return [self.method.kind, *self.controls]

    @model_validator(mode="after")
    def _controls_differ(self) -> JobSpec:
        if len(set(self.methods)) != len(self.methods):
            raise ValueError(f"controls {self.controls} must differ from each other and from the method {self.method.kind!r}")
        return self

    @model_validator(mode="after")
    def _tasks_fit_together(self) -> JobSpec:
        for index in range(1, len(self.tasks)):
            _require_same_shape(self.tasks[0], self.tasks[index], f"tasks.{index}.dataset")
        return self

    @model_validator(mode="after")
    def _network_has_a_bearable_size(self) -> JobSpec:
        info = DATASETS[self.tasks[0].dataset]
        size = count_parameters(self.network, num_features=info.num_features, num_classes=info.num_classes)
        if size > MAX_PARAMETERS:
            raise ValueError(
                f"network.hidden_sizes {self.network.hidden_sizes} make {size} parameters; at most {MAX_PARAMETERS} are allowed"
            )
        return self


def check_next_task(seen: Sequence[TaskSpec], task: TaskSpec) -> None:
    """Check that an announced task fits the network of a running job.

    Raises:
        SpecError: the task's inputs or classes differ from those of the tasks seen, or there are too many tasks.
    """
    if len(seen) >= MAX_TASKS:
        raise SpecError(f"the job has {len(seen)} tasks; at most {MAX_TASKS} are allowed", field="task")
    try:
        _require_same_shape(seen[0], task, "task.dataset")
    except ValueError as error:
        raise SpecError(str(error), field="task.dataset") from error


def _require_same_shape(first: TaskSpec, other: TaskSpec, field: str) -> None:
    one, two = DATASETS[first.dataset], DATASETS[other.dataset]
    if (one.num_features, one.num_classes) != (two.num_features, two.num_classes):
        raise ValueError(
            f"{field}: {two.name.value!r} has {two.num_features} features and {two.num_classes} classes, but the first task's "
            f"{one.name.value!r} has {one.num_features} and {one.num_classes}; one network learns them all"
        )
