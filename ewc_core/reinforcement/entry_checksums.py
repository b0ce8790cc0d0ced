"""Checksums of a replay's entries, one by one, so that only what is new has to be read for the checksum of them all."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def entry_checksums(
    frames: NDArray[Any], actions: NDArray[Any], rewards: NDArray[Any], flags: NDArray[Any]
) -> NDArray[np.uint32]:
    """The crc32 of each of n entries, [n]: of its frame ([n, ...], in the dtype that is stored), then of the rest ([n] each)."""
    rest = np.empty(len(frames), dtype=[("action", np.int16), ("reward", np.float32), ("flags", np.uint8)])
    rest["action"], rest["reward"], rest["flags"] = actions, rewards, flags
    checksums = (zlib.crc32(of_rest.tobytes(), zlib.crc32(frame.tobytes())) for frame, of_rest in zip(frames, rest, strict=True))
    return np.fromiter(checksums, dtype=np.uint32, count=len(frames))
