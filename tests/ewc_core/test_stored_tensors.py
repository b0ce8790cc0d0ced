"""Tensors that stay in a stored file."""

from __future__ import annotations

import pytest
import torch

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError
from ewc_core.stored_tensors import part_of, shape_of
from ewc_core.training.named_state import Rest

TENSORS = {
    "a.flags": torch.tensor([True, False, True]),
    "a.none": torch.zeros(0, 2, dtype=torch.float64),
    "b.count": torch.tensor(7, dtype=torch.int64),
    "b.values": torch.arange(12, dtype=torch.float32).reshape(3, 4),
}
DATA = tensor_file.encode(TENSORS, {"x": "1"}, kind="test")


class File:
    """A file that notes how much of it was read, and gives it in pieces."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data, self.num_bytes = data, 0

    def read(self, begin: int, end: int) -> list[bytes]:
        part = self.data[begin:end]
        self.num_bytes += len(part)
        return [part[start : start + 5] for start in range(0, len(part), 5)]


def test_each_is_read_when_it_is_looked_at_and_no_sooner() -> None:
    file = File()
    tensors, metadata = tensor_file.open_stored(file.read, len(DATA), kind="test")
    assert metadata == {"x": "1"}
    file.num_bytes = 0
    assert set(tensors) == set(TENSORS)
    assert "b.values" in tensors
    assert shape_of(tensors, "b.values") == shape_of(TENSORS, "b.values") == (3, 4)
    rest = Rest(tensors)
    part = rest.taken("b.")
    assert (set(part), set(rest)) == ({"count", "values"}, {"a.flags", "a.none"})
    assert "values" in part
    assert file.num_bytes == 0
    assert int(part.pop("count")) == 7
    assert file.num_bytes == 8
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor)
        assert tensors[name].dtype == tensor.dtype


def test_a_part_of_a_tensor_reads_nothing_else() -> None:
    file = File()
    tensors, _ = tensor_file.open_stored(file.read, len(DATA), kind="test")
    file.num_bytes = 0
    assert part_of(tensors.only("b."), "values", 3, 8).tolist() == part_of(TENSORS, "b.values", 3, 8).tolist()
    assert file.num_bytes == 20


@pytest.mark.parametrize("data", [b"", DATA[:6], DATA[:40], DATA + b"1", b"\xff" * 64])
def test_what_is_no_such_file_is_refused(data: bytes) -> None:
    with pytest.raises(StateFormatError, match="not a valid safetensors file"):
        tensor_file.open_stored(File(data).read, len(data), kind="test")


def test_another_kind_and_a_file_that_ends_early_are_refused() -> None:
    with pytest.raises(StateFormatError, match="expected 'other'"):
        tensor_file.open_stored(File().read, len(DATA), kind="other")
    tensors, _ = tensor_file.open_stored(File(DATA[:-4]).read, len(DATA), kind="test")
    with pytest.raises(StateFormatError, match=r"'b\.values' ends after 44 of 48 bytes"):
        tensors["b.values"]
