"""From a frame to the few symbols that a recogniser looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ewc_core.errors import SpecError


class Quantiser:
    """A frame to `num_symbols` symbols in [0, num_levels), uint8.

    uint8 frames: mean (rounded down) over blocks of `downscale` by `downscale` pixels of the last two dimensions, then
    `num_levels` even grey levels. Frames with a side of less than 16 pixels, or a single dimension, are not shrunk. float32
    frames: every entry between its finite bounds `low` and `high`, or squashed by tanh where a bound is infinite, then
    `num_levels` even bins.
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
        shrunk = (*frame_shape[:-2], *(side // self._block for side in frame_shape[-2:])) if self._block > 1 else frame_shape
        sums = np.arange(255 * self._block**2 + 1)
        # The level of every sum over a block: one look-up per symbol instead of a division.
        self._level_of_sum = (sums // self._block**2 * num_levels // 256).astype(np.uint8)
        self.num_symbols = int(np.prod(shrunk))
        size = int(np.prod(frame_shape))
        lows = np.full(size, -np.inf) if low is None else low.astype(np.float64).reshape(-1)
        highs = np.full(size, np.inf) if high is None else high.astype(np.float64).reshape(-1)
        # Bounds near the largest float are as good as none, and so are equal ones.
        self._bounded = (lows > -1e6) & (highs < 1e6) & (lows < highs)
        self._low = np.where(self._bounded, lows, -1.0)
        self._levels_per_unit = num_levels / (np.where(self._bounded, highs, 1.0) - self._low)

    def __call__(self, frame: NDArray[np.generic]) -> NDArray[np.uint8]:
        """The symbols [num_symbols] of one frame."""
        if self._is_bytes:
            return self._level_of_sum.take(self._block_sums(frame.astype(np.uint16)).reshape(-1))
        flat = frame.reshape(-1).astype(np.float64)
        squashed = np.where(self._bounded, flat, np.tanh(flat))
        levels = (squashed - self._low) * self._levels_per_unit
        return np.minimum(np.maximum(levels, 0.0), self._num_levels - 1.0).astype(np.uint8)

    def _block_sums(self, frame: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Sums over blocks of pixels; at most 16 * 16 * 255, which does not overflow."""
        size = self._block
        if size == 1:
            return frame
        height, width = (side - side % size for side in frame.shape[-2:])
        rows = frame[..., 0:height:size, :width].copy()
        for offset in range(1, size):
            rows += frame[..., offset:height:size, :width]
        sums = rows[..., ::size].copy()
        for offset in range(1, size):
            sums += rows[..., offset::size]
        return sums
