"""Tasks: one learning problem each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ewc_core.metrics.scores import ScoreName
from ewc_core.specs.base import Spec, refuse
from ewc_core.specs.datasets import DatasetName, DatasetSpec, dataset_info, dataset_title

TaskName = Annotated[str, Field(min_length=1, max_length=64, description="for tables and figures; without it one is made")]
ClassLabel = Annotated[int, Field(ge=0, le=9999)]


class DataTask(Spec):
    """A learning problem on data."""

    name: TaskName | None = None
    dataset: DatasetSpec = Field(description="the name of a built-in data set, or an object that says where the data are")

    @property
    def title(self) -> str:
        """The given name, or one made of the data set and what is done to it."""
        return self.name or f"{dataset_title(self.dataset)}{self._suffix()}"[:64]

    @property
    def needed_dataset(self) -> DatasetSpec | None:
        """The data that must be there."""
        return self.dataset

    @property
    def score_name(self) -> ScoreName | None:
        """What its scores are, as far as the spec alone says."""
        return None

    @property
    def is_never_negative(self) -> bool:
        """Whether it is known that no score of it can be negative."""
        return False

    def _suffix(self) -> str:
        return ""


class PlainTask(DataTask):
    """A data set as it is: the kind for users' own tasks."""

    kind: Literal["plain"]


class PermutedTask(DataTask):
    """Classify a data set whose input features are shuffled by one fixed permutation.

    `permutation` 0 leaves the features in place; any other value seeds one permutation, the same in every job. With
    `square` only the central square of that many pixels a side is shuffled, in every channel alike.
    """

    kind: Literal["permuted"] = "permuted"
    permutation: int = Field(default=0, ge=0, le=2**31 - 1)
    square: Annotated[int, Field(ge=2, le=4096)] | None = None

    def _suffix(self) -> str:
        return f"-permutation-{self.permutation}" + (f"-square-{self.square}" if self.square else "")

    @model_validator(mode="after")
    def _square_fits(self) -> PermutedTask:
        info = dataset_info(self.dataset)
        if self.square is not None and info is not None and self.square > min(info.input_shape[-2:]):
            raise ValueError(f"square {self.square} is larger than an image of {info.name.value!r}, {info.input_shape[-2:]}")
        return self


class RotatedTask(DataTask):
    """Classify images turned counter-clockwise by `degrees` about their centre (bilinear, zeros from outside)."""

    kind: Literal["rotated"]
    degrees: float = Field(ge=-360.0, le=360.0)

    def _suffix(self) -> str:
        return f"-rotated-{self.degrees:g}"


class SplitTask(DataTask):
    """Classify some classes of a data set; class `classes[i]` becomes label i of the task."""

    kind: Literal["split"]
    classes: list[ClassLabel] = Field(min_length=1, max_length=1000, description="in the order of the task's labels")

    def _suffix(self) -> str:
        return "-classes-" + "-".join(map(str, self.classes))

    @model_validator(mode="after")
    def _classes_differ_and_exist(self) -> SplitTask:
        info = dataset_info(self.dataset)
        refuse(
            f"classes {self.classes} must differ from each other" if len(set(self.classes)) != len(self.classes) else None,
            f"classes {self.classes}: {info.name.value!r} has classes 0 to {info.num_classes - 1}"
            if info is not None and max(self.classes) >= info.num_classes
            else None,
        )
        return self


def _kind_of_task(value: Any) -> str | None:
    kind = value.get("kind", "permuted") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


TaskSpec = Annotated[
    Annotated[PermutedTask, Tag("permuted")]
    | Annotated[PlainTask, Tag("plain")]
    | Annotated[RotatedTask, Tag("rotated")]
    | Annotated[SplitTask, Tag("split")],
    Discriminator(
        _kind_of_task,
        custom_error_type="task_kind",
        custom_error_message="a task's 'kind' is 'permuted' (the default), 'plain', 'rotated' or 'split'",
    ),
]


def task_shape(task: TaskSpec) -> tuple[tuple[int, ...], int] | None:
    """Shape of one input and number of outputs, as far as the spec alone says: None for data that must be loaded first."""
    info = dataset_info(task.dataset)
    if info is None:
        return None
    return info.input_shape, len(task.classes) if isinstance(task, SplitTask) else info.num_classes


__all__ = [
    "DatasetName",
    "PermutedTask",
    "PlainTask",
    "RotatedTask",
    "SplitTask",
    "TaskSpec",
    "task_shape",
]
