"""The built-in data sets: scikit-learn's digits, and IDX files in the layout of MNIST."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ewc_core.data.idx import read_idx
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable, StateFormatError
from ewc_core.seeding import generator
from ewc_core.specs import DATASETS, DatasetInfo, DatasetName, LikelihoodName, dataset_files_missing


def load_builtin(name: DatasetName, data_dir: Path | None) -> DataSource:
    """Load a built-in data set, uint8 images [n, 1, height, width]; `data_dir` is needed only by those that have files.

    Raises:
        DatasetUnavailable: files are missing; the message names them.
        StateFormatError: a file is damaged or is not what its name says.
    """
    info = DATASETS[name]
    if not info.files:
        return _digits(info)
    missing = dataset_files_missing(name, data_dir)
    if data_dir is None or missing:
        raise DatasetUnavailable(
            f"data set {name.value!r} needs {', '.join(missing)} in the data directory"
            f"{'' if data_dir is not None else ' (none is set)'}; the service takes it from EWC_DATA_DIR",
            field="dataset",
        )
    train_inputs, train_labels, test_inputs, test_labels = (data_dir / file for file in info.files)
    train, test = _idx_pair(train_inputs, train_labels, info), _idx_pair(test_inputs, test_labels, info)
    return DataSource(*train, *test, LikelihoodName.CATEGORICAL, info.num_classes, largest=255)


def _digits(info: DatasetInfo) -> DataSource:
    from sklearn.datasets import load_digits  # here: the import takes a second, and MNIST jobs do not need it

    bunch = load_digits()
    inputs = torch.from_numpy(bunch.data).to(torch.uint8).reshape(-1, *info.input_shape)
    labels = torch.from_numpy(bunch.target).to(torch.int64)
    order = torch.randperm(len(labels), generator=generator(0, "digits", "split"))
    train, test = order[: info.num_training_examples], order[info.num_training_examples :]
    return DataSource(
        inputs[train], labels[train], inputs[test], labels[test], LikelihoodName.CATEGORICAL, info.num_classes, largest=16
    )


def _idx_pair(images_path: Path, labels_path: Path, info: DatasetInfo) -> tuple[Tensor, Tensor]:
    images = read_idx(images_path, num_dimensions=3).unsqueeze(1)
    labels = read_idx(labels_path, num_dimensions=1).to(torch.int64)
    if images.shape[1:] != info.input_shape:
        raise StateFormatError(
            f"{images_path.name}: images of {list(images.shape[2:])} pixels, expected {list(info.input_shape[1:])}"
        )
    if len(images) != len(labels):
        raise StateFormatError(f"{images_path.name} has {len(images)} images, {labels_path.name} has {len(labels)} labels")
    if int(labels.max()) >= info.num_classes:
        raise StateFormatError(f"{labels_path.name}: label {int(labels.max())} found, expected 0 to {info.num_classes - 1}")
    return images, labels
