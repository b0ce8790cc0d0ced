"""The built-in data sets."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ewc_core.data.builtin import load_builtin
from ewc_core.errors import DatasetUnavailable, StateFormatError
from ewc_core.seeding import generator
from ewc_core.specs import DATASETS, DatasetName, LikelihoodName

_IDX = (DatasetName.MNIST, DatasetName.FASHION_MNIST)


def write_idx(
    folder: Path, *, name: DatasetName = DatasetName.MNIST, images: int = 3, labels: tuple[int, ...] = (7, 0, 9), side: int = 28
) -> None:
    """The four files of a data set, with the same images in both parts."""
    (folder / name.value).mkdir()
    for file in DATASETS[name].files:
        if "images" in file:
            sizes, body = [images, side, side], bytes(index % 256 for index in range(images * side * side))
        else:
            sizes, body = [len(labels)], bytes(labels)
        header = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
        (folder / file).write_bytes(gzip.compress(header + body))


def test_digits_have_the_announced_sizes_and_no_example_is_in_both_parts() -> None:
    source, info = load_builtin(DatasetName.DIGITS, None), DATASETS[DatasetName.DIGITS]
    assert source.train_inputs.shape == (info.num_training_examples, *info.input_shape)
    assert source.test_inputs.shape == (info.num_test_examples, *info.input_shape)
    assert (source.input_shape, source.num_features) == (info.input_shape, info.num_features)
    assert source.train_targets.bincount().min() > 100
    assert sorted(set(source.test_targets.tolist())) == list(range(10)) == list(range(source.num_outputs))
    assert source.likelihood is LikelihoodName.CATEGORICAL
    assert int(source.train_inputs.max()) == source.largest
    assert len(source.train_targets) + len(source.test_targets) == 1797


def test_digits_are_those_of_scikit_learn() -> None:
    from sklearn.datasets import load_digits

    source, bunch = load_builtin(DatasetName.DIGITS, None), load_digits()
    ours = torch.cat([source.train_inputs, source.test_inputs]).flatten(1).double()
    labels = torch.cat([source.train_targets, source.test_targets])
    theirs = torch.from_numpy(bunch.data)
    order = torch.randperm(len(theirs), generator=generator(0, "digits", "split"))
    assert torch.equal(ours, theirs[order])
    assert torch.equal(labels, torch.from_numpy(bunch.target)[order])


def test_digits_are_read_without_loading_scikit_learn() -> None:
    program = (
        "import sys; from ewc_core.data.builtin import load_builtin; from ewc_core.specs import DatasetName;"
        "load_builtin(DatasetName.DIGITS, None); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_split_of_the_digits_is_fixed() -> None:
    first, second = load_builtin(DatasetName.DIGITS, None), load_builtin(DatasetName.DIGITS, None)
    assert torch.equal(first.test_inputs, second.test_inputs)
    assert first.test_targets[:10].tolist() == [2, 5, 8, 9, 8, 0, 1, 3, 2, 0]


@pytest.mark.parametrize("name", _IDX)
def test_idx_files_are_read_from_the_folder_of_the_data_set(tmp_path: Path, name: DatasetName) -> None:
    write_idx(tmp_path, name=name)
    source = load_builtin(name, tmp_path)
    assert source.train_inputs.shape == (3, 1, 28, 28)
    assert source.train_inputs.dtype == torch.uint8
    assert source.train_targets.tolist() == [7, 0, 9]
    assert source.test_inputs[0, 0, 0, :3].tolist() == [0, 1, 2]
    assert (source.num_outputs, source.largest) == (10, 255)


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / "mnist/t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetUnavailable, match=r"needs mnist/t10k-labels-idx1-ubyte\.gz in the data directory") as error:
        load_builtin(DatasetName.MNIST, tmp_path)
    assert error.value.field == "dataset"
    with pytest.raises(DatasetUnavailable, match=r"'fashion-mnist' needs fashion-mnist/train-images"):
        load_builtin(DatasetName.FASHION_MNIST, tmp_path)
    with pytest.raises(DatasetUnavailable, match=r"train-images.*none is set.*EWC_DATA_DIR"):
        load_builtin(DatasetName.MNIST, None)


@pytest.mark.parametrize(
    ("images", "labels", "side", "message"),
    [
        (3, (1, 2), 28, "3 images, .* has 2 labels"),
        (3, (1, 2, 10), 28, "label 10 found"),
        (3, (1, 2, 3), 27, r"images of \[27, 27\] pixels, expected \[28, 28\]"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, images: int, labels: tuple[int, ...], side: int, message: str) -> None:
    write_idx(tmp_path, images=images, labels=labels, side=side)
    with pytest.raises(StateFormatError, match=message):
        load_builtin(DatasetName.MNIST, tmp_path)
