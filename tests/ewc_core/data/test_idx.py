"""IDX files."""

from __future__ import annotations

import gzip

import pytest
import torch
from torch import Tensor

from ewc_core.data.idx import read_idx
from ewc_core.errors import StateFormatError


def _idx(shape: list[int], body: bytes, *, magic: bytes | None = None) -> bytes:
    head = bytes([0, 0, 8, len(shape)]) if magic is None else magic
    return head + b"".join(size.to_bytes(4, "big") for size in shape) + body


def _read(content: bytes, num_dimensions: int = 1) -> Tensor:
    return read_idx(content, name="values.gz", num_dimensions=num_dimensions)


def test_values_are_read_in_order() -> None:
    values = bytes(range(250, 256)) + bytes(range(6))
    tensor = _read(gzip.compress(_idx([2, 3, 2], values)), 3)
    assert tensor.dtype == torch.uint8
    assert tensor.tolist() == [[[250, 251], [252, 253], [254, 255]], [[0, 1], [2, 3], [4, 5]]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with ''"),
        (_idx([2], b"ab", magic=bytes([0, 0, 13, 1])), "begins with '00000d01'"),
        (_idx([1, 2], b"ab"), "begins with '00000802'"),
        (_idx([2], b"ab")[:6], "the header ends after 6 bytes, expected 8"),
        (_idx([3], b"ab"), "needs 3 bytes of values, the file has 2"),
        (_idx([1], b"ab"), "needs 1 bytes of values, the file has more"),
        (_idx([0], b""), "no values"),
        (_idx([2**32 - 1], b"ab"), "at most"),
    ],
)
def test_a_file_that_lies_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(StateFormatError, match=message):
        _read(gzip.compress(content))


def test_a_truncated_gzip_file_is_refused() -> None:
    content = gzip.compress(_idx([100], bytes(range(100))))[:-20]
    with pytest.raises(StateFormatError, match=r"values\.gz: not a complete gzip file"):
        _read(content)


def test_a_file_that_is_not_gzip_is_refused() -> None:
    with pytest.raises(StateFormatError, match="not a complete gzip file"):
        _read(_idx([2], b"ab"))
