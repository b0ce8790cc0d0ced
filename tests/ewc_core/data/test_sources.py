"""Tasks made of data sets by spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from ewc_core.data import Sources, TaskData, permutation_of
from ewc_core.data.held_out import split_off_validation
from ewc_core.data.rotated import Rotation
from ewc_core.errors import SpecError
from ewc_core.specs import LikelihoodName, TaskSpec
from tests.ewc_core.data.arrays_of import train_and_test

_TASK: TypeAdapter[TaskSpec] = TypeAdapter(TaskSpec)
_SOURCES = Sources(None)
_SPLITS = ("train", "validation", "test")


def _task(kind: str, *, dataset: Any = "digits", sources: Sources = _SOURCES, num_validation: int = 0, **fields: Any) -> TaskData:
    spec = _TASK.validate_python({"kind": kind, "dataset": dataset, **fields})
    return sources.task(spec, num_validation_examples=num_validation)


def _all(task: TaskData, split: Any = "train") -> tuple[torch.Tensor, torch.Tensor]:
    return task.read(split, torch.arange(task.num_examples(split)))


def _arrays(folder: Path, **changes: Any) -> dict[str, Any]:
    np.savez(folder / "own.npz", **train_and_test(**changes))
    return {"kind": "arrays", "path": "own.npz"}


def test_a_plain_task_is_the_data_set_in_the_unit_interval() -> None:
    task = _task("plain")
    inputs, targets = _all(task)
    assert inputs.shape == (1437, 1, 8, 8)
    assert (float(inputs.min()), float(inputs.max())) == (0.0, 1.0)
    assert targets.bincount().shape == (10,)
    assert (task.num_outputs, task.input_shape, task.likelihood) == (10, (1, 8, 8), LikelihoodName.CATEGORICAL)
    assert [task.num_examples(split) for split in _SPLITS] == [1437, 0, 360]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("permuted", {"permutation": 0}),
        ("permuted", {"permutation": 0, "square": 4}),
        ("rotated", {"degrees": 0.0}),
        ("rotated", {"degrees": -360.0}),
    ],
)
def test_tasks_that_change_nothing_are_plain_bit_for_bit(kind: str, fields: dict[str, Any]) -> None:
    for split in ("train", "test"):
        assert torch.equal(_all(_task(kind, **fields), split)[0], _all(_task("plain"), split)[0])


def test_permuted_training_and_test_inputs_are_read_in_one_order() -> None:
    order = permutation_of(3, 64)
    for split in ("train", "test"):
        plain, targets = _all(_task("plain"), split)
        permuted = _all(_task("permuted", permutation=3), split)
        assert torch.equal(permuted[0].flatten(1), plain.flatten(1)[:, order])
        assert torch.equal(permuted[1], targets)


def test_a_permuted_square_leaves_the_rim_in_place() -> None:
    plain, square = _all(_task("plain"))[0], _all(_task("permuted", permutation=3, square=4))[0]
    different = (plain != square).any(0)[0]
    assert bool(different[2:6, 2:6].any())
    different[2:6, 2:6] = False
    assert not bool(different.any())
    assert torch.equal(plain.flatten(1).sort().values, square.flatten(1).sort().values)


def test_a_rotated_task_turns_every_image() -> None:
    plain, turned = _all(_task("plain"))[0], _all(_task("rotated", degrees=25.0))[0]
    assert torch.equal(turned.flatten(1), Rotation(25.0, (1, 8, 8))(plain.flatten(1)))
    assert torch.equal(_all(_task("rotated", degrees=90.0), "test")[0], torch.rot90(_all(_task("plain"), "test")[0], 1, (2, 3)))


def test_split_classes_become_labels_in_their_order() -> None:
    inputs, targets = _all(_task("plain"))
    task = _task("split", classes=[7, 2])
    chosen = (targets == 7) | (targets == 2)
    assert torch.equal(_all(task)[0], inputs[chosen])
    assert torch.equal(_all(task)[1], (targets[chosen] == 2).to(torch.int64))
    assert task.num_outputs == 2
    assert set(_all(task, "test")[1].tolist()) == {0, 1}


def test_splits_of_all_classes_share_out_every_example() -> None:
    tasks = [_task("split", classes=[first, first + 1], num_validation=100) for first in range(0, 10, 2)]
    assert [sum(task.num_examples(split) for task in tasks) for split in _SPLITS] == [1337, 100, 360]


@pytest.mark.parametrize(("kind", "fields"), [("plain", {}), ("permuted", {"permutation": 2}), ("split", {"classes": [1, 3, 5]})])
def test_validation_examples_are_never_training_examples(kind: str, fields: dict[str, Any]) -> None:
    whole, parted = _task(kind, **fields), _task(kind, num_validation=200, **fields)
    train, validation = _all(parted)[0], _all(parted, "validation")[0]
    rows = [image.numpy().tobytes() for image in torch.cat([train, validation])]
    assert sorted(rows) == sorted(image.numpy().tobytes() for image in _all(whole)[0])
    assert len(validation) == (200 if kind != "split" else 61)


def test_all_tasks_of_a_data_set_hold_out_the_same_examples() -> None:
    plain, permuted = _task("plain", num_validation=50), _task("permuted", permutation=4, num_validation=50)
    assert torch.equal(
        _all(plain, "validation")[0].flatten(1)[:, permutation_of(4, 64)], _all(permuted, "validation")[0].flatten(1)
    )
    again = _task("plain", num_validation=50, sources=Sources(None))
    assert torch.equal(_all(again, "validation")[0], _all(plain, "validation")[0])


def test_a_data_set_is_loaded_once(tmp_path: Path) -> None:
    dataset, sources = _arrays(tmp_path), Sources(tmp_path)
    first = _task("plain", dataset=dataset, sources=sources)
    (tmp_path / "own.npz").unlink()
    second = _task("permuted", permutation=1, dataset=dataset, sources=sources)
    assert torch.equal(_all(first)[1], _all(second)[1])


def test_a_regression_task_gives_real_targets(tmp_path: Path) -> None:
    targets = np.linspace(-1.0, 1.0, 12).reshape(6, 2)
    dataset = {**_arrays(tmp_path, train_targets=targets, test_targets=targets[:3]), "likelihood": "gaussian"}
    task = _task("permuted", permutation=1, dataset=dataset, sources=Sources(tmp_path), num_validation=2)
    assert (task.likelihood, task.num_outputs) == (LikelihoodName.GAUSSIAN, 2)
    assert task.read_range("test", 0, 9)[1].tolist() == targets[:3].astype(np.float32).tolist()
    assert task.read("validation", torch.tensor([0, 1]))[1].shape == (2, 2)
    assert task.read("train", torch.tensor([0]))[1].dtype == torch.float32


def test_a_held_out_part_that_leaves_nothing_is_refused() -> None:
    assert _task("plain", num_validation=1436).num_examples("train") == 1
    with pytest.raises(SpecError, match="1437 validation examples are to be held out, but 'digits' has 1437") as error:
        _task("plain", num_validation=1437)
    assert error.value.field == "dataset"


@pytest.mark.parametrize(
    ("kind", "fields", "field", "message"),
    [
        ("split", {"classes": [1, 3]}, "classes", r"classes \[3\] do not exist: the data set has classes 0 to 2"),
        ("permuted", {"square": 2, "permutation": 1}, "square", r"square needs images .* have shape \[2\]"),
        ("rotated", {"degrees": 10.0}, "degrees", r"degrees needs images .* have shape \[2\]"),
        ("rotated", {"degrees": 0.0}, "degrees", "degrees needs images"),
    ],
)
def test_tasks_that_do_not_suit_the_loaded_arrays_are_refused(
    tmp_path: Path, kind: str, fields: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message) as error:
        _task(kind, dataset=_arrays(tmp_path), sources=Sources(tmp_path), **fields)
    assert error.value.field == field


def test_a_split_of_targets_that_are_no_classes_is_refused(tmp_path: Path) -> None:
    dataset = {**_arrays(tmp_path), "likelihood": "gaussian"}
    with pytest.raises(SpecError, match="a split task needs classes; the data set's likelihood is 'gaussian'"):
        _task("split", classes=[0, 1], dataset=dataset, sources=Sources(tmp_path))


@pytest.mark.parametrize(("num_validation", "part"), [(0, "test"), (1, "validation"), (5, "train")])
def test_a_split_without_an_example_in_some_part_is_refused(tmp_path: Path, num_validation: int, part: str) -> None:
    train, validation = split_off_validation(6, num_validation)
    targets = np.array([1, 2, 1, 2, 1, 2])
    targets[validation if part == "validation" else train[:1]] = 0
    test_targets = np.zeros(3, int) if part == "test" else np.array([0, 1, 2])
    dataset, sources = (
        _arrays(tmp_path, train_targets=targets, test_targets=test_targets),
        Sources(tmp_path, spec_version=1),
    )
    with pytest.raises(SpecError, match=rf"the {part} part of 'own' has no example of classes \[1, 2\]") as error:
        _task("split", classes=[1, 2], dataset=dataset, sources=sources, num_validation=num_validation)
    assert error.value.field == "classes"
