"""The built-in data sets: scikit-learn's digits, and IDX files in the layout of MNIST."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ewc_core.data.as_stored import AsStored
from ewc_core.data.digests import Reading
from ewc_core.data.idx import read_idx
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable, StateFormatError
from ewc_core.seeding import generator
from ewc_core.specs import DATASETS, DatasetInfo, DatasetName, LikelihoodName, dataset_files_missing


def load_builtin(name: DatasetName, data_dir: Path | None, reading: Reading | None = None) -> DataSource:
    """Load a built-in data set, uint8 images [n, 1, height, width]; `data_dir` is needed only by those that have files.

    Raises:
        DatasetUnavailable: files are missing; the message names them.
        StateFormatError: a file is damaged or is not what its name says.
    """
    info, reading = DATASETS[name], reading or Reading()
    if not info.files:
        return _digits(info, reading)
    missing = dataset_files_missing(name, data_dir)
    if data_dir is None or missing:
        raise DatasetUnavailable(
            f"data set {name.value!r} needs {', '.join(missing)} in the data directory"
            f"{' (none is set)' if data_dir is None else ''}; the service takes it from EWC_DATA_DIR",
            field="dataset",
        )
    contents = [(file, reading.file(data_dir / file, file, field="dataset")) for file in info.files]
    train_images, train_labels, test_images, test_labels = contents
    train, test = _idx_pair(train_images, train_labels, info), _idx_pair(test_images, test_labels, info)
    return DataSource(*train, *test, LikelihoodName.CATEGORICAL, info.num_classes, largest=255, stored=AsStored("uint8"))


def _digits(info: DatasetInfo, reading: Reading) -> DataSource:
    rows = torch.from_numpy(np.loadtxt(_digits_file(), delimiter=",", dtype=np.uint8))  # pixels, then the label
    inputs, labels = rows[:, :-1].reshape(-1, *info.input_shape), rows[:, -1].to(torch.int64)
    order = torch.randperm(len(labels), generator=generator(0, "digits", "split"))
    train, test = order[: info.num_training_examples], order[info.num_training_examples :]
    source = DataSource(
        inputs[train],
        labels[train],
        inputs[test],
        labels[test],
        LikelihoodName.CATEGORICAL,
        info.num_classes,
        largest=16,
        stored=AsStored("float64"),
    )
    carried_by = f"scikit-learn {version('scikit-learn')}"
    reading.arrays(source.tensors(), info.name.value, kind=source.likelihood.value, version=carried_by)
    return source


def _digits_file() -> Path:
    """The file that `sklearn.datasets.load_digits` reads. Loading the package takes a second and 140 MiB in each trainer.

    Raises:
        DatasetUnavailable: scikit-learn is not installed, or carries the digits no longer.
    """
    package = find_spec("sklearn")
    folders = [] if package is None else list(package.submodule_search_locations or [])
    for folder in folders:
        if (file := Path(folder, "datasets", "data", "digits.csv.gz")).is_file():
            return file
    raise DatasetUnavailable(
        "data set 'digits' is a file of scikit-learn, datasets/data/digits.csv.gz, which is not there; install scikit-learn anew",
        field="dataset",
    )


def _idx_pair(images_file: tuple[str, bytes], labels_file: tuple[str, bytes], info: DatasetInfo) -> tuple[Tensor, Tensor]:
    (images_name, images_data), (labels_name, labels_data) = images_file, labels_file
    images = read_idx(images_data, name=images_name, num_dimensions=3).unsqueeze(1)
    labels = read_idx(labels_data, name=labels_name, num_dimensions=1).to(torch.int64)
    if images.shape[1:] != info.input_shape:
        raise StateFormatError(f"{images_name}: images of {list(images.shape[2:])} pixels, expected {list(info.input_shape[1:])}")
    if len(images) != len(labels):
        raise StateFormatError(f"{images_name} has {len(images)} images, {labels_name} has {len(labels)} labels")
    if int(labels.max()) >= info.num_classes:
        raise StateFormatError(f"{labels_name}: label {int(labels.max())} found, expected 0 to {info.num_classes - 1}")
    return images, labels
