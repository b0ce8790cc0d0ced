"""IDX files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch

from ewc_core.data.idx import read_idx
from ewc_core.errors import StateFormatError


def _idx(shape: list[int], body: bytes, *, magic: bytes | None = None) -> bytes:
    head = bytes([0, 0, 8, len(shape)]) if magic is None else magic
    return head + b"".join(size.to_bytes(4, "big") for size in shape) + body


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "values.gz"
    path.write_bytes(gzip.compress(content))
    return path


def test_values_are_read_in_order(tmp_path: Path) -> None:
    values = bytes(range(250, 256)) + bytes(range(6))
    tensor = read_idx(_file(tmp_path, _idx([2, 3, 2], values)), num_dimensions=3)
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
def test_a_file_that_lies_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(StateFormatError, match=message):
        read_idx(_file(tmp_path, content), num_dimensions=1)


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, _idx([100], bytes(range(100))))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StateFormatError, match=r"values\.gz: not a complete gzip file"):
        read_idx(path, num_dimensions=1)


def test_a_file_that_is_not_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "values.gz"
    path.write_bytes(_idx([2], b"ab"))
    with pytest.raises(StateFormatError, match="not a complete gzip file"):
        read_idx(path, num_dimensions=1)
