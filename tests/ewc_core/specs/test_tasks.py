"""Specs of tasks and data sets, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ewc_core.specs import (
    DatasetName,
    LikelihoodName,
    PermutedTask,
    PluginDataset,
    TaskSpec,
    dataset_files_missing,
    dataset_info,
    task_shape,
)

_TASK: TypeAdapter[TaskSpec] = TypeAdapter(TaskSpec)
_OWN = {"kind": "arrays", "path": "folder/own.npz"}


def _task(**fields: Any) -> TaskSpec:
    return _TASK.validate_python({"dataset": "digits", **fields})


def test_a_task_is_permuted_unless_it_says_otherwise() -> None:
    assert _task() == PermutedTask(dataset=DatasetName.DIGITS, permutation=0)


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({"permutation": 3}, "digits-permutation-3"),
        ({"permutation": 3, "square": 4}, "digits-permutation-3-square-4"),
        ({"kind": "plain", "dataset": _OWN}, "own"),
        ({"kind": "plain", "dataset": {"kind": "openml", "name": "iris"}}, "iris"),
        ({"kind": "rotated", "degrees": 22.5}, "digits-rotated-22.5"),
        ({"kind": "split", "classes": [3, 1]}, "digits-classes-3-1"),
        ({"kind": "split", "classes": [3, 1], "name": "three or one"}, "three or one"),
    ],
)
def test_the_title_says_what_is_done_to_which_data_set(fields: dict[str, Any], title: str) -> None:
    assert _task(**fields).title == title


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({}, ((1, 8, 8), 10)),
        ({"dataset": "fashion-mnist", "kind": "rotated", "degrees": 10}, ((1, 28, 28), 10)),
        ({"dataset": "mnist", "kind": "split", "classes": [0, 1, 2]}, ((1, 28, 28), 3)),
        ({"dataset": _OWN, "kind": "plain"}, None),
    ],
)
def test_shapes_are_known_before_loading_for_built_in_data_only(fields: dict[str, Any], shape: object) -> None:
    assert task_shape(_task(**fields)) == shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"square": 9}, r"square 9 is larger than an image of 'digits', \(8, 8\)"),
        ({"kind": "split", "classes": [1, 10]}, r"classes \[1, 10\]: 'digits' has classes 0 to 9"),
        ({"kind": "split", "classes": [1, 1]}, "must differ from each other"),
        ({"kind": "split", "classes": []}, "at least 1 item"),
        ({"kind": "rotated", "degrees": 361}, "less than or equal to 360"),
        ({"kind": "rotated", "degrees": float("nan")}, "finite number"),
        ({"kind": "shuffled"}, "a task's 'kind' is 'permuted'"),
        ({"dataset": "letters"}, "'digits', 'mnist' or 'fashion-mnist'"),
        ({"dataset": {"kind": "csv"}}, "a data set is a built-in name, or an object whose 'kind' is"),
        ({"dataset": {"kind": "openml", "name": "../iris"}}, "should match pattern"),
    ],
)
def test_what_cannot_be_a_task_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _task(**fields)


@pytest.mark.parametrize("path", ["/etc/own.npz", "../own.npz", "a/../../own.npz", "a\\own.npz", "own\0.npz"])
def test_a_path_never_leaves_the_data_directory(path: str) -> None:
    with pytest.raises(ValidationError, match="relative to the data directory"):
        _task(kind="plain", dataset={"kind": "arrays", "path": path})


@pytest.mark.parametrize("path", ["own.pt", "own.pkl", "own", "own.npz.gz", ".npz"])
def test_other_formats_are_refused_by_their_suffix(path: str) -> None:
    with pytest.raises(ValidationError, match=r"must end in one of \.npz, \.safetensors, \.parquet"):
        _task(kind="plain", dataset={"kind": "arrays", "path": path})


def test_missing_files_are_those_of_the_data_directory(tmp_path: Path) -> None:
    own = _task(kind="plain", dataset={**_OWN, "likelihood": "gaussian"}).dataset
    assert dataset_files_missing(own, tmp_path) == dataset_files_missing(own, None) == ["folder/own.npz"]
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/own.npz").touch()
    assert dataset_files_missing(own, tmp_path) == []
    assert dataset_files_missing(DatasetName.DIGITS, None) == dataset_files_missing(PluginDataset(name="any"), None) == []
    assert len(dataset_files_missing(DatasetName.FASHION_MNIST, tmp_path)) == 4
    assert dataset_info(own) is None


def test_specs_survive_json() -> None:
    for fields in (
        {"kind": "split", "classes": [1, 2]},
        {"kind": "plain", "dataset": {**_OWN, "likelihood": LikelihoodName.BERNOULLI}},
        {"kind": "plain", "dataset": {"kind": "plugin", "name": "moons", "options": {"angle": 30.5, "deep": {"a": [1]}}}},
    ):
        task = _task(**fields)
        assert _TASK.validate_json(_TASK.dump_json(task)) == task
