"""What is read is hashed as it is read, and must be the same the next time."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from pydantic import TypeAdapter

from ewc_core.data import Sources, TaskData
from ewc_core.data.layout import MAX_FILE_BYTES
from ewc_core.errors import DataChanged, DatasetUnavailable, SpecError
from ewc_core.specs import DATASETS, DatasetName, TaskSpec
from tests.ewc_core.data.arrays_of import train_and_test
from tests.ewc_core.data.conftest import Install
from tests.ewc_core.data.openml_site import COLUMNS, ROWS, answers, write_cache
from tests.ewc_core.data.test_builtin import write_idx
from tests.ewc_core.data.test_parquet import write_table

_TASK: TypeAdapter[TaskSpec] = TypeAdapter(TaskSpec)


def _load(folder: Path | None, dataset: Any, known: dict[str, str] | None = None) -> TaskData:
    task = _TASK.validate_python({"kind": "plain", "dataset": dataset})
    return Sources(folder, known_digests=known).task(task)


def _own(path: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "arrays", "path": path, **fields}


def _write(folder: Path, name: str, **changes: Any) -> None:
    arrays = train_and_test(**changes)
    if name.endswith(".npz"):
        np.savez(folder / name, **arrays)
    elif name.endswith(".safetensors"):
        safetensors.numpy.save_file(arrays, folder / name)
    else:
        write_table(folder / name, {"x": arrays["train_inputs"][:, 0], "target": arrays["train_targets"]})


@pytest.mark.parametrize("name", ["own.npz", "own.safetensors", "own.parquet"])
def test_a_file_has_the_digest_of_its_bytes_under_the_name_that_its_user_wrote(tmp_path: Path, name: str) -> None:
    _write(tmp_path, name)
    (digest,) = _load(tmp_path, _own(f"./{name}")).source.digests
    assert digest.name == f"./{name}"
    assert digest.sha256 == hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["own.npz", "own.safetensors", "own.parquet"])
@pytest.mark.parametrize("content", ["other numbers", "rubbish", "nothing", "too few examples"])
def test_any_other_content_is_a_change_whether_it_could_be_read_or_not(tmp_path: Path, name: str, content: str) -> None:
    _write(tmp_path, name)
    (before,) = _load(tmp_path, _own(name)).source.digests
    if content == "other numbers":
        _write(tmp_path, name, train_inputs=np.ones((6, 2), np.float32))
    elif content == "too few examples":
        _write(tmp_path, name, train_inputs=np.ones((1, 2), np.float32), train_targets=np.zeros(1, int))
    else:
        (tmp_path / name).write_bytes(b"" if content == "nothing" else b"rubbish")
    with pytest.raises(DataChanged) as caught:
        _load(tmp_path, _own(name), {name: before.sha256})
    now = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert caught.value.changed == {name: f"SHA-256 {before.sha256} then, {now} now"}


def test_two_data_sets_on_one_file_must_have_read_the_same(tmp_path: Path) -> None:
    _write(tmp_path, "own.npz")
    sources = Sources(tmp_path)
    sources.task(_TASK.validate_python({"kind": "plain", "dataset": _own("own.npz")}))
    _write(tmp_path, "own.npz", train_inputs=np.ones((6, 2), np.float32))
    with pytest.raises(DataChanged):
        sources.task(_TASK.validate_python({"kind": "plain", "dataset": _own("own.npz", likelihood="gaussian")}))


def test_what_a_package_carries_has_the_digest_of_its_arrays_and_the_package_s_version() -> None:
    (digest,) = _load(None, "digits").source.digests
    (again,) = _load(None, "digits").source.digests
    assert (digest.name, len(digest.sha256)) == ("digits", 64)
    assert (digest.version or "").startswith("scikit-learn ")
    assert digest == again


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "own.npz").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(SpecError, match=rf"'own\.npz' has {MAX_FILE_BYTES + 1} bytes"):
        _load(tmp_path, _own("own.npz"))


def test_a_file_that_cannot_be_read_is_named_without_the_folder_that_it_is_in(tmp_path: Path) -> None:
    (tmp_path / "own.npz").mkdir()
    for path in ("own.npz", "gone.npz"):
        with pytest.raises(DatasetUnavailable, match=f"'{path}'") as caught:
            _load(tmp_path, _own(path))
        assert str(tmp_path) not in str(caught.value)


def test_each_of_the_files_of_a_built_in_data_set_is_compared(tmp_path: Path) -> None:
    write_idx(tmp_path)
    digests = _load(tmp_path, "mnist").source.digests
    assert [digest.name for digest in digests] == list(DATASETS[DatasetName.MNIST].files)
    known = {digest.name: digest.sha256 for digest in digests}
    (tmp_path / "mnist").rename(tmp_path / "before")
    write_idx(tmp_path, labels=(7, 1, 9))
    with pytest.raises(DataChanged) as caught:
        _load(tmp_path, "mnist", known)
    assert sorted(caught.value.changed) == [name for name in sorted(known) if "labels" in name]


def test_a_plug_in_that_gives_other_arrays_is_a_change_and_a_new_version_that_gives_the_same_is_none(install: Install) -> None:
    install({"own": "tests.ewc_core.data.test_plugin:as_mapping", "other": "tests.ewc_core.data.test_digests:nine"})
    dataset = {"kind": "plugin", "name": "own", "options": {"value": 2}}
    (digest,) = _load(None, dataset).source.digests
    assert (digest.name, digest.version) == ("task source 'own' with options {\"value\": 2}", "offered 1.0")
    assert _load(None, dataset, {digest.name: digest.sha256}).source.digests == (digest,)
    (same,) = _load(None, {**dataset, "options": {"value": 2.0}}).source.digests
    (nine,) = _load(None, {"kind": "plugin", "name": "other"}).source.digests
    assert same.sha256 == digest.sha256 != nine.sha256
    with pytest.raises(DataChanged, match="data have changed"):
        _load(None, dataset, {digest.name: nine.sha256})


def nine(_: Mapping[str, Any]) -> dict[str, Any]:
    """A task source."""
    return train_and_test(train_inputs=np.full((6, 2), 9.0))


def test_a_data_set_of_openml_has_the_digest_of_its_examples(tmp_path: Path) -> None:
    dataset = {"kind": "openml", "name": "made-up"}
    write_cache(tmp_path, answers("made-up"))
    (digest,) = _load(tmp_path, dataset).source.digests
    assert _load(tmp_path, dataset, {digest.name: digest.sha256}).source.digests == (digest,)
    shutil.rmtree(tmp_path / "openml")
    write_cache(tmp_path, answers("made-up", COLUMNS, [row.replace("7.5", "7") for row in ROWS]))
    with pytest.raises(DataChanged):
        _load(tmp_path, dataset, {digest.name: digest.sha256})
