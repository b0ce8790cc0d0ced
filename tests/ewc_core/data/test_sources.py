"""Data sets by name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from ewc_core.data import load_source
from ewc_core.errors import DatasetUnavailable, StateFormatError
from ewc_core.specs import DATASETS, DatasetName


def _write_mnist(folder: Path, *, images: int = 3, labels: tuple[int, ...] = (7, 0, 9), side: int = 28) -> None:
    (folder / "mnist").mkdir()
    for file in DATASETS[DatasetName.MNIST].files:
        if "images" in file:
            sizes, body = [images, side, side], bytes(index % 256 for index in range(images * side * side))
        else:
            sizes, body = [len(labels)], bytes(labels)
        header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        (folder / file).write_bytes(gzip.compress(header + body))


def test_digits_have_the_announced_sizes_and_no_example_is_in_both_parts() -> None:
    source, info = load_source(DatasetName.DIGITS, None), DATASETS[DatasetName.DIGITS]
    assert source.train_inputs.shape == (info.num_training_examples, info.num_features)
    assert source.test_inputs.shape == (info.num_test_examples, info.num_features)
    assert source.train_labels.bincount().min() > 100
    assert sorted(set(source.test_labels.tolist())) == list(range(10))
    assert int(source.train_inputs.max()) == source.largest
    assert len(source.train_labels) + len(source.test_labels) == 1797


def test_the_split_of_the_digits_is_fixed() -> None:
    first, second = load_source(DatasetName.DIGITS, None), load_source(DatasetName.DIGITS, None)
    assert torch.equal(first.test_inputs, second.test_inputs)
    assert first.test_labels[:10].tolist() == [2, 5, 8, 9, 8, 0, 1, 3, 2, 0]


def test_mnist_is_read_from_idx_files(tmp_path: Path) -> None:
    _write_mnist(tmp_path)
    source = load_source(DatasetName.MNIST, tmp_path)
    assert source.train_inputs.shape == (3, 784)
    assert source.train_labels.tolist() == [7, 0, 9]
    assert source.test_inputs[0, :3].tolist() == [0, 1, 2]
    assert source.largest == 255


def test_missing_files_are_named(tmp_path: Path) -> None:
    _write_mnist(tmp_path)
    (tmp_path / "mnist/t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetUnavailable, match=r"needs mnist/t10k-labels-idx1-ubyte\.gz in the data directory"):
        load_source(DatasetName.MNIST, tmp_path)
    with pytest.raises(DatasetUnavailable, match=r"train-images.*none is set.*EWC_DATA_DIR"):
        load_source(DatasetName.MNIST, None)


@pytest.mark.parametrize(
    ("images", "labels", "side", "message"),
    [
        (3, (1, 2), 28, "3 images, .* has 2 labels"),
        (3, (1, 2, 10), 28, "label 10 found"),
        (3, (1, 2, 3), 27, "729 pixels per image, expected 784"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, images: int, labels: tuple[int, ...], side: int, message: str) -> None:
    _write_mnist(tmp_path, images=images, labels=labels, side=side)
    with pytest.raises(StateFormatError, match=message):
        load_source(DatasetName.MNIST, tmp_path)
