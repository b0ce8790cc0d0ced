"""Memory that was freed goes back to the system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ewc_core.freed_memory import give_back

MIB = 2**20


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process has is read from /proc")
def test_what_was_freed_between_tensors_in_use_goes_back() -> None:
    tensors = [torch.ones(2**14) for _ in range(1024)]  # 64 KiB each: below what is mapped by itself
    kept = tensors[::64]
    before = _resident_bytes()
    del tensors
    give_back()
    assert before - _resident_bytes() >= 32 * MIB
    assert all(bool(tensor.all()) for tensor in kept)
