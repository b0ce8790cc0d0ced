"""Safetensors bytes."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError

_TENSORS = {
    "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a": torch.tensor([1, -2], dtype=torch.int64),
    "c": torch.tensor(0.5, dtype=torch.float64),
    "empty": torch.empty(0, 3),
    "bytes": torch.tensor([0, 255], dtype=torch.uint8),
    "flags": torch.tensor([[True, False, True]]),
    "short": torch.tensor([-300, 300], dtype=torch.int16),
}
_DATA = tensor_file.encode(_TENSORS, {"y": "1", "x": "zwei"}, kind="test")


def test_tensors_and_metadata_come_back_bit_for_bit() -> None:
    tensors, metadata = tensor_file.decode(_DATA, kind="test")
    assert metadata == {"x": "zwei", "y": "1"}
    assert tensor_file.tensors_sha256(tensors) == tensor_file.tensors_sha256(_TENSORS)
    assert tensors["c"].shape == ()


def test_order_of_names_and_metadata_does_not_change_the_bytes() -> None:
    shuffled = dict(reversed(list(_TENSORS.items())))
    assert tensor_file.encode(shuffled, {"x": "zwei", "y": "1"}, kind="test") == _DATA


def test_the_safetensors_library_reads_the_bytes() -> None:
    tensors = safetensors.torch.load(_DATA)
    assert torch.equal(tensors["b"], _TENSORS["b"])


def test_views_that_are_not_contiguous_are_stored_by_value() -> None:
    tensor = torch.arange(6.0).reshape(2, 3).T
    tensors, _ = tensor_file.decode(tensor_file.encode({"t": tensor}, {}, kind="test"), kind="test")
    assert torch.equal(tensors["t"], tensor)


@given(st.integers(0, len(_DATA) - 1), st.integers(1, 255))
def test_every_changed_byte_is_noticed(position: int, change: int) -> None:
    damaged = bytearray(_DATA)
    damaged[position] ^= change
    assert _refused(bytes(damaged))


@given(st.integers(0, len(_DATA) - 1))
def test_every_truncation_is_noticed(length: int) -> None:
    assert _refused(_DATA[:length])


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    assert _refused(data)


def test_another_kind_is_refused() -> None:
    with pytest.raises(StateFormatError, match="'test', expected 'other'"):
        tensor_file.decode(_DATA, kind="other")


def test_a_dtype_that_is_not_stored_is_refused_when_written() -> None:
    with pytest.raises(StateFormatError, match="float16"):
        tensor_file.encode({"t": torch.zeros(1, dtype=torch.float16)}, {}, kind="test")


def test_the_digest_depends_on_name_dtype_shape_and_content() -> None:
    base = {"a": torch.zeros(4)}
    others = [{"b": torch.zeros(4)}, {"a": torch.zeros(4, dtype=torch.float64)}, {"a": torch.zeros(2, 2)}, {"a": torch.ones(4)}]
    digests = {tensor_file.tensors_sha256(tensors) for tensors in [base, *others]}
    assert len(digests) == 5


def _refused(data: bytes) -> bool:
    try:
        tensor_file.decode(data, kind="test")
    except StateFormatError:
        return True
    return False
