"""From frames to symbols."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.errors import SpecError
from ewc_core.task_inference import Quantiser


@pytest.mark.parametrize(
    ("shape", "downscale", "num_levels"), [((84, 84), 2, 8), ((3, 33, 50), 4, 5), ((16, 16), 16, 256), ((84, 84), 1, 2)]
)
def test_pixels_are_averaged_over_blocks_and_cut_into_even_levels(
    shape: tuple[int, ...], downscale: int, num_levels: int
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    quantiser = Quantiser(shape, np.dtype(np.uint8), num_levels=num_levels, downscale=downscale)
    symbols = quantiser(frame)
    height, width = (side // downscale for side in shape[-2:])
    assert symbols.dtype == np.uint8
    assert len(symbols) == quantiser.num_symbols == int(np.prod(shape[:-2])) * height * width
    planes = frame.reshape(-1, *shape[-2:])
    expected = [
        int(plane[row * downscale : (row + 1) * downscale, column * downscale : (column + 1) * downscale].mean())
        * num_levels
        // 256
        for plane in planes
        for row in range(height)
        for column in range(width)
    ]
    assert symbols.tolist() == expected


def test_small_frames_are_not_shrunk() -> None:
    frame = np.arange(50, dtype=np.uint8).reshape(10, 5) * 5
    quantiser = Quantiser((10, 5), np.dtype(np.uint8), num_levels=2, downscale=2)
    assert quantiser(frame).tolist() == [int(value >= 128) for value in frame.ravel()]


def test_white_is_the_highest_level() -> None:
    quantiser = Quantiser((32, 32), np.dtype(np.uint8), num_levels=8, downscale=2)
    assert set(quantiser(np.full((32, 32), 255, dtype=np.uint8)).tolist()) == {7}


def test_bounded_entries_are_cut_between_their_bounds_and_others_after_tanh() -> None:
    low, high = np.array([-2.0, -np.inf, -3.4e38], dtype=np.float32), np.array([2.0, np.inf, 3.4e38], dtype=np.float32)
    quantiser = Quantiser((3,), np.dtype(np.float32), num_levels=4, downscale=2, low=low, high=high)
    for entries, expected in (
        ([-2.0, -9.0, 9.0], [0, 0, 3]),
        ([-0.1, -0.1, 0.1], [1, 1, 2]),
        ([1.5, 0.6, -0.6], [3, 3, 0]),
        ([7.0, 0.0, 0.0], [3, 2, 2]),
        ([-7.0, 0.0, 0.0], [0, 2, 2]),
    ):
        assert quantiser(np.array(entries, dtype=np.float32)).tolist() == expected


def test_an_entry_whose_bounds_are_equal_is_one_without() -> None:
    bound = np.ones(1, dtype=np.float32)
    quantiser = Quantiser((1,), np.dtype(np.float32), num_levels=4, downscale=2, low=bound, high=bound)
    assert quantiser(bound).tolist() == [3]


def test_frames_of_another_type_are_refused() -> None:
    with pytest.raises(SpecError, match="float64"):
        Quantiser((4,), np.dtype(np.float64), num_levels=4, downscale=2)
