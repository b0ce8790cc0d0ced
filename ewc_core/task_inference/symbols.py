"""From a frame to the few symbols that a recogniser looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ewc_core.errors import SpecError


class Quantiser:
    """A frame to `num_symbols` symbols in [0, num_levels), uint8.

    uint8 frames: mean over blocks of `downscale` by `downscale` pixels of the last two dimensions, then `num_levels` even grey
    levels. Frames with a side of less than 16 pixels, or a single dimension, are not shrunk. float32 frames: every entry
    between its finite bounds `low` and `high`, or squashed by tanh where a bound is infinite, then `num_levels` even bins.
    """

    def __init__(
        self,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype[np.generic],
        *,
        num_levels: int,
        downscale: int,
        low: NDArray[np.float32] | None = None,
        high: NDArray[np.float32] | None = None,
    ) -> None:
        self._num_levels = num_levels
        self._is_bytes = frame_dtype == np.uint8
        self._block = downscale if self._is_bytes and len(frame_shape) >= 2 and min(frame_shape[-2:]) >= 16 else 1
        if not self._is_bytes and frame_dtype != np.float32:
            raise SpecError(f"frames are {frame_dtype}; a recogniser looks at uint8 or float32")
        self._shape = frame_shape
        if self._block > 1:
            shrunk = (*frame_shape[:-2], *(side // self._block for side in frame_shape[-2:]))
        else:
            shrunk = frame_shape
        self.num_symbols = int(np.prod(shrunk))
        size = int(np.prod(frame_shape))
        lows = np.full(size, -np.inf) if low is None else low.astype(np.float64).reshape(-1)
        highs = np.full(size, np.inf) if high is None else high.astype(np.float64).reshape(-1)
        # Bounds near the largest float are as good as none.
        self._bounded = (lows > -1e6) & (highs < 1e6)
        self._low = np.where(self._bounded, lows, -1.0)
        self._width = np.where(self._bounded, highs, 1.0) - self._low

    def __call__(self, frame: NDArray[np.generic]) -> NDArray[np.uint8]:
        """The symbols [num_symbols] of one frame."""
        if self._is_bytes:
            values = frame
            if self._block > 1:
                height, width = (side // self._block for side in self._shape[-2:])
                cut = frame[..., : height * self._block, : width * self._block]
                blocks = cut.reshape(*self._shape[:-2], height, self._block, width, self._block)
                values = blocks.mean(axis=(-3, -1))
            return np.asarray(values.reshape(-1).astype(np.int64) * self._num_levels // 256, dtype=np.uint8)
        flat = frame.reshape(-1).astype(np.float64)
        squashed = np.where(self._bounded, flat, np.tanh(flat))
        share = (squashed - self._low) / self._width
        return np.clip(share * self._num_levels, 0, self._num_levels - 1).astype(np.uint8)
