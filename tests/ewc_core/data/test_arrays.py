"""Users' `.npz` and `.safetensors` files."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from numpy.lib import format as npy

from ewc_core.errors import DatasetUnavailable, SpecError, StateFormatError
from ewc_core.specs import LikelihoodName
from tests.ewc_core.data.arrays_of import load, train_and_test


def _save_npz(path: Path, arrays: dict[str, Any]) -> None:
    np.savez(path, **arrays)


def _save_compressed(path: Path, arrays: dict[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def _save_safetensors(path: Path, arrays: dict[str, Any]) -> None:
    safetensors.numpy.save_file(arrays, path)


_WRITERS = [("own.npz", _save_npz), ("own.npz", _save_compressed), ("own.safetensors", _save_safetensors)]


@pytest.mark.parametrize(("name", "write"), _WRITERS)
def test_what_was_saved_is_read(tmp_path: Path, name: str, write: Any) -> None:
    arrays = train_and_test()
    write(tmp_path / name, arrays)
    source = load(tmp_path, name)
    assert source.train_inputs.tolist() == arrays["train_inputs"].tolist()
    assert source.train_targets.tolist() == arrays["train_targets"].tolist()
    assert source.test_inputs.tolist() == arrays["test_inputs"].tolist()
    assert source.test_targets.tolist() == arrays["test_targets"].tolist()


@pytest.mark.parametrize(("name", "write"), _WRITERS)
def test_the_same_file_gives_the_same_tensors(tmp_path: Path, name: str, write: Any) -> None:
    rng = np.random.default_rng(0)
    write(tmp_path / name, {"inputs": rng.normal(size=(30, 4)), "targets": rng.normal(size=(30, 2))})
    first, second = (load(tmp_path, name, likelihood=LikelihoodName.GAUSSIAN) for _ in range(2))
    assert torch.equal(first.train_inputs, second.train_inputs)
    assert torch.equal(first.test_targets, second.test_targets)
    assert (first.num_outputs, len(first.test_targets)) == (2, 6)


@pytest.mark.parametrize(("name", "write"), _WRITERS)
def test_bytes_in_a_file_stay_bytes(tmp_path: Path, name: str, write: Any) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(6, 1, 2, 2)
    write(tmp_path / name, train_and_test(train_inputs=images, test_inputs=images[:3]))
    source = load(tmp_path, name)
    assert (source.train_inputs.dtype, source.largest, source.input_shape) == (torch.uint8, 255, (1, 2, 2))


def test_bfloat16_tensors_are_read(tmp_path: Path) -> None:
    inputs = torch.arange(12).view(6, 2).to(torch.bfloat16)
    safetensors.torch.save_file({"inputs": inputs, "targets": torch.arange(6) % 2}, tmp_path / "own.safetensors")
    source = load(tmp_path, "own.safetensors")
    assert sorted(source.train_inputs.tolist() + source.test_inputs.tolist()) == inputs.tolist()


def test_a_later_change_of_the_file_changes_nothing_that_was_read(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    _save_safetensors(path, train_and_test())
    source = load(tmp_path, path.name)
    with path.open("r+b") as file:
        file.seek(-8, 2)
        file.write(b"\xff" * 8)
    assert source.train_targets.tolist() == train_and_test()["train_targets"].tolist()


@pytest.mark.parametrize(("name", "write"), _WRITERS)
def test_arrays_that_do_not_fit_are_refused_with_the_name_of_the_file(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name, train_and_test(test_targets=np.array([0, 1])))
    with pytest.raises(SpecError, match=rf"^{name}: test_inputs has 3 examples, test_targets has 2") as error:
        load(tmp_path, name)
    assert error.value.field == "dataset.path"
    write(tmp_path / name, train_and_test(other=np.zeros(1)))
    with pytest.raises(SpecError, match=r"holds arrays .*'other'"):
        load(tmp_path, name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailable, match=r"'deep/own\.npz' is not in the data directory") as error:
        load(tmp_path, "deep/own.npz")
    assert error.value.field == "dataset.path"
    with pytest.raises(DatasetUnavailable, match=r"none is set.*EWC_DATA_DIR"):
        load(None, "own.npz")


@pytest.mark.parametrize("name", ["own.npz", "own.safetensors"])
@pytest.mark.parametrize("content", [b"", b"PK", b"\x00" * 64, b"x" * 200])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StateFormatError, match=rf"^{name}: not a readable"):
        load(tmp_path, name)


@pytest.mark.parametrize(("name", "write"), _WRITERS)
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str, write: Any) -> None:
    write(tmp_path / name, train_and_test())
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) - 40])
    with pytest.raises(StateFormatError, match=rf"^{name}: not a readable"):
        load(tmp_path, name)


def test_flipped_bits_in_an_npz_file_are_noticed(tmp_path: Path) -> None:
    _save_npz(tmp_path / "own.npz", train_and_test())
    content = (tmp_path / "own.npz").read_bytes()
    values = train_and_test()["train_inputs"].tobytes()
    (tmp_path / "own.npz").write_bytes(content.replace(values, values[:-1] + b"\x3f", 1))
    with pytest.raises(StateFormatError, match="Bad CRC-32"):
        load(tmp_path, "own.npz")


class _Trap:
    """Unpickling one would leave a mark."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("unpickled"),)


def test_pickled_objects_are_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "own.npz", **train_and_test(test_inputs=np.array([_Trap()], dtype=object)))
    with pytest.raises(SpecError, match=r"test_inputs\.npy holds Python objects, which are pickled and never read"):
        load(tmp_path, "own.npz")
    _write_members(tmp_path, {"inputs.npy": pickle.dumps(_Trap()), "targets.npy": _npy((3,), "<i8", bytes(24))})
    with pytest.raises(StateFormatError, match="not a readable"):
        load(tmp_path, "own.npz")
    assert not (tmp_path / "unpickled").exists()


def _npy(shape: tuple[int, ...], dtype: str, body: bytes) -> bytes:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + body


def _write_members(folder: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / "own.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (_npy((2**40, 2), "<f4", bytes(24)), r"announces float32 of shape \[1099511627776, 2\], but has 24 bytes of values"),
        (_npy((3, 2), "<f4", bytes(25)), "has 25 bytes"),
        (_npy((-3, -2), "<f4", bytes(24)), "not a readable"),
        (_npy((0, 2**80), "<f4", b""), "not a readable"),
        (_npy((3, 2), "<f4", bytes(24)).replace(b"'shape'", b"'shapf'"), "not a readable"),
        (b"\x93NUMPY\x03\x00" + bytes(100), r"version \(3, 0\)"),
    ],
)
def test_members_that_lie_are_refused(tmp_path: Path, inputs: bytes, message: str) -> None:
    _write_members(tmp_path, {"inputs.npy": inputs, "targets.npy": _npy((3,), "<i8", bytes(24))})
    with pytest.raises(StateFormatError, match=message):
        load(tmp_path, "own.npz")


@pytest.mark.parametrize(("dtype", "itemsize", "bytes_in_memory"), [("<f8", 8, 8), ("<f2", 2, 4), ("|u1", 1, 1), ("|i1", 1, 4)])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, itemsize: int, bytes_in_memory: int
) -> None:
    count = 2**20
    monkeypatch.setattr("ewc_core.data.layout.MAX_BYTES", count * bytes_in_memory + 23)
    monkeypatch.setattr(npy, "read_array", None)
    _write_members(
        tmp_path,
        {"inputs.npy": _npy((count, 1), dtype, bytes(count * itemsize)), "targets.npy": _npy((3,), "<i8", bytes(24))},
    )
    with pytest.raises(SpecError, match=f"arrays of {count * bytes_in_memory + 24} bytes; at most"):
        load(tmp_path, "own.npz")


def test_large_tensors_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ewc_core.data.layout.MAX_BYTES", 100)
    for dtype, size in ((np.float64, 8), (np.float16, 4), (np.uint8, 1)):
        arrays = {"inputs": np.zeros((10, 10), dtype), "targets": np.zeros(10, np.uint8)}
        _save_safetensors(tmp_path / "own.safetensors", arrays)
        with pytest.raises(SpecError, match=f"announces arrays of {100 * size + 10} bytes; at most 100 are read"):
            load(tmp_path, "own.safetensors")
