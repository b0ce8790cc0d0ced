"""Small replays whose frames say where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ewc_core.reinforcement.replay import Replay

FRAME = np.dtype(np.float32)


def empty(*, capacity: int = 20, num_envs: int = 2, history: int = 1, folder: Path | None = None) -> Replay:
    return Replay(capacity=capacity, num_envs=num_envs, frame_shape=(1,), frame_dtype=FRAME, history=history, folder=folder)


def sizes(*, capacity: int = 20, num_envs: int = 2, history: int = 1) -> dict[str, Any]:
    return {
        "capacity": capacity,
        "num_envs": num_envs,
        "frame_shape": (1,),
        "frame_dtype": FRAME,
        "history": history,
    }


def frames(number: int, num_envs: int) -> NDArray[np.float32]:
    """Frame `number` of every stream: 1000 times the stream, plus the number; never 0."""
    return (np.arange(num_envs)[:, None] * 1000 + number).astype(np.float32)


def play(replay: Replay, numbers: range, *, num_envs: int = 2, ends: dict[int, str] | None = None) -> None:
    """Append one transition per number: its frame, its number as action, a tenth of it as reward. `ends` says at which numbers
    every stream's episode is "terminated" or "cut"; the last frame of a cut one is the number plus a half."""
    for number in numbers:
        end = (ends or {}).get(number)
        flags = np.full(num_envs, end == "terminated"), np.full(num_envs, end is not None)
        replay.append(
            frames(number, num_envs),
            np.full(num_envs, number, dtype=np.int64),
            np.full(num_envs, number / 10),
            *flags,
            frames(number, num_envs) + np.float32(0.5),
        )
