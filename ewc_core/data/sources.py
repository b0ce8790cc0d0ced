"""Data sets by name, as they are before any task reshuffles their features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ewc_core.data.idx import read_idx
from ewc_core.errors import DatasetUnavailable, StateFormatError
from ewc_core.seeding import generator
from ewc_core.specs import DATASETS, DatasetName, dataset_files_missing


@dataclass(frozen=True)
class DataSource:
    """One data set: inputs uint8 [n, features] in 0..`largest`, labels int64 [n].

    Kept as bytes: a minibatch becomes float32 in [0, 1] when it is read.
    """

    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor
    test_labels: Tensor
    largest: int

    @property
    def num_features(self) -> int:
        """Inputs per example."""
        return self.train_inputs.shape[1]


def load_source(name: DatasetName, data_dir: Path | None) -> DataSource:
    """Load a data set; `data_dir` is needed only by those that have files.

    Raises:
        DatasetUnavailable: files are missing; the message names them.
        StateFormatError: a file is damaged or is not what its name says.
    """
    if name is DatasetName.DIGITS:
        return _digits()
    missing = dataset_files_missing(name, data_dir)
    if data_dir is None or missing:
        raise DatasetUnavailable(
            f"data set {name.value!r} needs {', '.join(missing)} in the data directory "
            f"({data_dir if data_dir is not None else 'none is set'}); the service takes it from EWC_DATA_DIR"
        )
    return _mnist(data_dir)


def _digits() -> DataSource:
    from sklearn.datasets import load_digits  # here: the import takes a second, and MNIST jobs do not need it

    bunch = load_digits()
    inputs = torch.from_numpy(bunch.data).to(torch.uint8)
    labels = torch.from_numpy(bunch.target).to(torch.int64)
    order = torch.randperm(len(labels), generator=generator(0, "digits", "split"))
    train, test = (
        order[: DATASETS[DatasetName.DIGITS].num_training_examples],
        order[DATASETS[DatasetName.DIGITS].num_training_examples :],
    )
    return DataSource(inputs[train], labels[train], inputs[test], labels[test], largest=16)


def _mnist(data_dir: Path) -> DataSource:
    train_inputs, train_labels, test_inputs, test_labels = (data_dir / file for file in DATASETS[DatasetName.MNIST].files)
    return DataSource(*_idx_pair(train_inputs, train_labels), *_idx_pair(test_inputs, test_labels), largest=255)


def _idx_pair(images_path: Path, labels_path: Path) -> tuple[Tensor, Tensor]:
    info = DATASETS[DatasetName.MNIST]
    images = read_idx(images_path, num_dimensions=3).flatten(1)
    labels = read_idx(labels_path, num_dimensions=1).to(torch.int64)
    if images.shape[1] != info.num_features:
        raise StateFormatError(f"{images_path.name}: {images.shape[1]} pixels per image, expected {info.num_features}")
    if len(images) != len(labels):
        raise StateFormatError(f"{images_path.name} has {len(images)} images, {labels_path.name} has {len(labels)} labels")
    if int(labels.max()) >= info.num_classes:
        raise StateFormatError(f"{labels_path.name}: label {int(labels.max())} found, expected 0 to {info.num_classes - 1}")
    return images, labels
