"""Data sets that job specs can name, and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator
from pydantic_core import PydanticCustomError

from ewc_core.specs.base import Spec
from ewc_core.specs.hints import did_you_mean, listed
from ewc_core.specs.plugins import Options

ARRAY_SUFFIXES = (".npz", ".safetensors", ".parquet")
TASK_SOURCE_PLUGINS = "ewc.task_sources"


class LikelihoodName(StrEnum):
    """What the network's outputs say about targets: classes, independent 0/1 labels, or real numbers of unit variance."""

    CATEGORICAL = "categorical"
    BERNOULLI = "bernoulli"
    GAUSSIAN = "gaussian"


class DatasetName(StrEnum):
    """Names of the built-in data sets."""

    DIGITS = "digits"
    MNIST = "mnist"
    FASHION_MNIST = "fashion-mnist"


class ArraysDataset(Spec):
    """The user's own arrays: a file in the data directory, with a path relative to it.

    `.npz` and `.safetensors` hold `train_inputs` and `train_targets`, and `test_inputs` and `test_targets`; or `inputs`
    and `targets`, of which a fixed fifth of each class becomes the test set. `.parquet` holds one example a row: columns
    `target` (or `target_0`, `target_1`, ...), optionally `split` ("train" or "test"), and every other column is a feature,
    but for the index that pandas wrote with it. Inputs of type uint8 are divided by 255; other numbers are taken as they
    are. Targets are labels 0 to K-1 (categorical), 0 or 1 (Bernoulli) or real numbers (Gaussian); the latter two may have
    several columns. At most 4 GiB are read. A job never goes on with another content than it has read first.
    """

    kind: Literal["arrays"] = "arrays"
    path: Annotated[str, Field(min_length=1, max_length=255)]
    likelihood: LikelihoodName = LikelihoodName.CATEGORICAL

    @field_validator("path")
    @classmethod
    def _path_stays_in_the_data_directory(cls, path: str) -> str:
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
            raise ValueError(f"path {path!r} must be relative to the data directory and must not leave it")
        if parts.suffix not in ARRAY_SUFFIXES:
            raise ValueError(f"path {path!r} must end in one of {', '.join(ARRAY_SUFFIXES)}")
        return path


class OpenMLDataset(Spec):
    """A classification data set of openml.org by name, fetched once into the data directory.

    A fixed fifth of each class is the test set, and each feature is scaled to [0, 1] by the training examples.
    """

    kind: Literal["openml"] = "openml"
    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.\-]+$")]
    version: int = Field(default=1, ge=1, le=10_000)


class PluginDataset(Spec):
    """A data set made by an installed package: an entry point of the group `ewc.task_sources`, called with `options`."""

    kind: Literal["plugin"] = "plugin"
    name: Annotated[str, Field(min_length=1, max_length=128)]
    options: Options = Field(default={}, max_length=32)


def _kind_of_dataset(value: Any) -> str | None:
    if isinstance(value, str):
        return "builtin"
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


_OTHER_DATASETS = (
    'others are objects: {"kind": "openml", "name": ...} for one of openml.org, {"kind": "arrays", "path": ...} for a file '
    f'({", ".join(ARRAY_SUFFIXES)}) in the data directory, {{"kind": "plugin", "name": ...}}'
)


def _known_name(value: Any) -> Any:
    names = [name.value for name in DatasetName]
    if isinstance(value, str) and value not in names:
        message = (
            f"there is no built-in data set {value!r}, expected {listed(names)} ({_OTHER_DATASETS}){did_you_mean(value, names)}"
        )
        raise PydanticCustomError("dataset_name", "{message}", {"message": message})
    return value


DatasetSpec = Annotated[
    Annotated[DatasetName, BeforeValidator(_known_name), Tag("builtin")]
    | Annotated[ArraysDataset, Tag("arrays")]
    | Annotated[OpenMLDataset, Tag("openml")]
    | Annotated[PluginDataset, Tag("plugin")],
    Discriminator(
        _kind_of_dataset,
        custom_error_type="dataset_kind",
        custom_error_message="a data set is a built-in name, or an object whose 'kind' is 'arrays', 'openml' or 'plugin'",
    ),
]


@dataclass(frozen=True)
class DatasetInfo:
    """What can be said of a built-in data set without loading it.

    `input_shape` is that of one example: (channels, height, width). `files` are relative to the data directory; none
    means that an installed package carries the data.
    """

    name: DatasetName
    title: str
    input_shape: tuple[int, ...]
    num_features: int
    num_classes: int
    num_training_examples: int
    num_test_examples: int
    files: tuple[str, ...] = ()


def _idx_files(folder: str) -> tuple[str, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(f"{folder}/{name}-ubyte.gz" for name in names)


DATASETS: dict[DatasetName, DatasetInfo] = {
    DatasetName.DIGITS: DatasetInfo(
        name=DatasetName.DIGITS,
        title="8x8 handwritten digits (carried by scikit-learn)",
        input_shape=(1, 8, 8),
        num_features=64,
        num_classes=10,
        num_training_examples=1437,
        num_test_examples=360,
    ),
    DatasetName.MNIST: DatasetInfo(
        name=DatasetName.MNIST,
        title="28x28 handwritten digits (four IDX files in the data directory)",
        input_shape=(1, 28, 28),
        num_features=784,
        num_classes=10,
        num_training_examples=60000,
        num_test_examples=10000,
        files=_idx_files("mnist"),
    ),
    DatasetName.FASHION_MNIST: DatasetInfo(
        name=DatasetName.FASHION_MNIST,
        title="28x28 pictures of clothing (four IDX files in the data directory)",
        input_shape=(1, 28, 28),
        num_features=784,
        num_classes=10,
        num_training_examples=60000,
        num_test_examples=10000,
        files=_idx_files("fashion-mnist"),
    ),
}


def dataset_info(dataset: DatasetSpec) -> DatasetInfo | None:
    """What is known of a data set before it is loaded: None unless it is a built-in one."""
    return DATASETS[dataset] if isinstance(dataset, DatasetName) else None


def dataset_title(dataset: DatasetSpec) -> str:
    """A short name for people."""
    if isinstance(dataset, ArraysDataset):
        return PurePosixPath(dataset.path).stem
    return dataset.name if isinstance(dataset, OpenMLDataset | PluginDataset) else dataset.value


def dataset_files_missing(dataset: DatasetSpec, data_dir: Path | None) -> list[str]:
    """Files of the data set that are not in `data_dir` (all of them when there is no data directory)."""
    if isinstance(dataset, DatasetName):
        files = list(DATASETS[dataset].files)
    else:
        files = [dataset.path] if isinstance(dataset, ArraysDataset) else []
    if data_dir is None:
        return files
    return [file for file in files if not (data_dir / file).is_file()]
