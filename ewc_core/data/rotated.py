"""Rotated tasks: images turned about their centre."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ewc_core.data.images import image_size


class Rotation:
    """Turn images counter-clockwise by `degrees` about their centre, bilinear, with zeros from outside.

    The pixel at row y and column x, both measured from the centre ((height-1)/2, (width-1)/2), takes the value at

        x' = x cos a - y sin a,    y' = x sin a + y cos a

    (rows grow downwards), which is the sum over the up to four pixels around it, each with weight
    (1 - |dx|) (1 - |dy|). For multiples of 90 degrees cosine and sine are exact, so square images are moved pixel by
    pixel, bit for bit. The image keeps its size: what leaves it is lost.

    Source pixels and weights are worked out once: four gathers for each minibatch are cheaper than
    `torch.nn.functional.grid_sample`, and no rotated copy of the data is kept.
    """

    def __init__(self, degrees: float, input_shape: tuple[int, ...]) -> None:
        """Raises:
        SpecError: inputs of this shape are no images.
        """
        height, width = image_size(input_shape, what="degrees")
        source_y, source_x = _source_positions(degrees, height, width)
        self._neighbours: list[tuple[Tensor, Tensor]] = []  # features int64 [features], weights float32 [features]
        num_channels = math.prod(input_shape) // (height * width)
        for y in (source_y.floor(), source_y.floor() + 1):
            for x in (source_x.floor(), source_x.floor() + 1):
                weights = (1 - (source_y - y).abs()) * (1 - (source_x - x).abs())
                inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
                weights = torch.where(inside, weights, 0.0).to(torch.float32).flatten()
                if bool(weights.any()):
                    pixels = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).to(torch.int64).flatten()
                    offsets = torch.arange(num_channels)[:, None] * (height * width)
                    self._neighbours.append(((offsets + pixels).flatten(), weights.repeat(num_channels)))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Turned inputs float32 [n, features] of inputs float32 [n, features]."""
        turned = torch.zeros_like(inputs)
        for features, weights in self._neighbours:
            turned.addcmul_(inputs.index_select(1, features), weights)
        return turned


def _source_positions(degrees: float, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Row and column, float64 [height, width], where each pixel of the turned image lies in the source image."""
    cosine, sine = _cosine_and_sine(degrees)
    y = torch.arange(height, dtype=torch.float64)[:, None] - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64)[None, :] - (width - 1) / 2
    return x * sine + y * cosine + (height - 1) / 2, x * cosine - y * sine + (width - 1) / 2


def _cosine_and_sine(degrees: float) -> tuple[float, float]:
    quarters, rest = divmod(degrees, 90.0)
    if rest == 0.0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarters) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
