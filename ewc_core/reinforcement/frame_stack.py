"""The last frames of every copy of an environment, as an agent sees them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError


class FrameStack:
    """`stacked` [num_envs, history, *frame_shape], newest last; zeros where the episode had not begun."""

    def __init__(self, num_envs: int, frame_shape: tuple[int, ...], frame_dtype: np.dtype[np.generic], *, history: int) -> None:
        self.stacked = np.zeros((num_envs, history, *frame_shape), dtype=frame_dtype)

    def reset(self, frames: NDArray[np.generic]) -> None:
        """Every copy begins an episode with its frame [num_envs, *frame_shape]."""
        self.stacked[:] = 0
        self.stacked[:, -1] = frames

    def push(self, frames: NDArray[np.generic], starts: NDArray[np.bool_]) -> None:
        """The next frame of every copy; where `starts` [num_envs], it is the first one of an episode."""
        self.stacked[:, :-1] = self.stacked[:, 1:]
        if starts.any():
            self.stacked[starts] = 0
        self.stacked[:, -1] = frames

    def state(self) -> dict[str, Tensor]:
        """A copy of the stack."""
        return {"stacked": torch.from_numpy(self.stacked.copy())}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it does not fit."""
        stacked = state.get("stacked")
        if stacked is None or tuple(stacked.shape) != self.stacked.shape or stacked.numpy().dtype != self.stacked.dtype:
            raise StateFormatError(f"frame stack: the state holds {sorted(state)}, expected 'stacked' of {self.stacked.shape}")
        self.stacked[:] = stacked.numpy()
