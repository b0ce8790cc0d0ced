"""Rotations, against a loop over pixels in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ewc_core.data.rotated import Rotation
from ewc_core.errors import SpecError
from ewc_core.seeding import generator


def _images(*shape: int) -> Tensor:
    return torch.rand(shape, generator=generator(0, "images"))


def _turn(images: Tensor, degrees: float) -> Tensor:
    return Rotation(degrees, tuple(images.shape[1:]))(images.flatten(1)).view_as(images)


def _turn_slowly(image: Tensor, degrees: float) -> Tensor:
    """Where pixel (row, column) of the turned image comes from: the point turned back, clockwise as one sees it."""
    height, width = image.shape
    angle = math.radians(degrees)
    turned = torch.zeros(height, width, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            right, up = column - (width - 1) / 2, (height - 1) / 2 - row
            from_right = right * math.cos(angle) + up * math.sin(angle)
            from_up = up * math.cos(angle) - right * math.sin(angle)
            x, y = from_right + (width - 1) / 2, (height - 1) / 2 - from_up
            for other_row in range(height):
                for other_column in range(width):
                    weight = max(0.0, 1 - abs(y - other_row)) * max(0.0, 1 - abs(x - other_column))
                    turned[row, column] += weight * float(image[other_row, other_column])
    return turned


@pytest.mark.parametrize("degrees", [30.0, -45.0, 137.5, 200.0, 359.0])
@pytest.mark.parametrize("shape", [(6, 6), (5, 8)])
def test_it_is_bilinear_interpolation_about_the_centre_with_zeros_outside(shape: tuple[int, int], degrees: float) -> None:
    images = _images(2, 2, *shape)
    turned = _turn(images, degrees)
    for example in range(2):
        for channel in range(2):
            expected = _turn_slowly(images[example, channel], degrees)
            torch.testing.assert_close(turned[example, channel].double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("degrees", "quarters"), [(90.0, 1), (180.0, 2), (270.0, 3), (-90.0, 3), (-180.0, 2), (360.0, 0)])
def test_quarter_turns_move_square_images_pixel_by_pixel(degrees: float, quarters: int) -> None:
    images = _images(3, 2, 7, 7)
    assert torch.equal(_turn(images, degrees), torch.rot90(images, quarters, dims=(2, 3)))


def test_half_a_turn_is_exact_for_images_that_are_not_square() -> None:
    images = _images(2, 1, 5, 8)
    assert torch.equal(_turn(images, 180.0), images.flip(2, 3))


def test_it_turns_counter_clockwise() -> None:
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 1, 2] = 1.0  # on the right
    assert _turn(image, 90.0)[0, 0].tolist() == [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]  # on the top


def test_images_without_a_channel_dimension_turn_alike() -> None:
    images = _images(2, 6, 6)
    assert torch.equal(_turn(images, 33.0), _turn(images[:, None], 33.0)[:, 0])


@pytest.mark.parametrize("shape", [(64,), (1, 2, 8, 8)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match="degrees needs images") as error:
        Rotation(10.0, shape)
    assert error.value.field == "degrees"
