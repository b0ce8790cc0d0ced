"""The data sets that the product knows by name: their shapes, and the files that they need."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class DatasetName(StrEnum):
    """Names of data sets in job specs."""

    DIGITS = "digits"
    MNIST = "mnist"


@dataclass(frozen=True)
class DatasetInfo:
    """What can be said of a data set without loading it.

    `files` are relative to the data directory; none means that an installed package carries the data.
    """

    name: DatasetName
    title: str
    num_features: int
    num_classes: int
    num_training_examples: int
    num_test_examples: int
    files: tuple[str, ...] = ()


DATASETS: dict[DatasetName, DatasetInfo] = {
    DatasetName.DIGITS: DatasetInfo(
        name=DatasetName.DIGITS,
        title="8x8 handwritten digits (carried by scikit-learn)",
        num_features=64,
        num_classes=10,
        num_training_examples=1437,
        num_test_examples=360,
    ),
    DatasetName.MNIST: DatasetInfo(
        name=DatasetName.MNIST,
        title="28x28 handwritten digits (four IDX files in the data directory)",
        num_features=784,
        num_classes=10,
        num_training_examples=60000,
        num_test_examples=10000,
        files=(
            "mnist/train-images-idx3-ubyte.gz",
            "mnist/train-labels-idx1-ubyte.gz",
            "mnist/t10k-images-idx3-ubyte.gz",
            "mnist/t10k-labels-idx1-ubyte.gz",
        ),
    ),
}


def dataset_files_missing(name: DatasetName, data_dir: Path | None) -> list[str]:
    """Files of the data set that are not in `data_dir` (all of them when there is no data directory)."""
    files = DATASETS[name].files
    if data_dir is None:
        return list(files)
    return [file for file in files if not (data_dir / file).is_file()]
