"""Feature orders of permuted tasks."""

from __future__ import annotations

import pytest
import torch

from ewc_core.data import permutation_of
from ewc_core.data.permuted import square_permutation_of
from ewc_core.errors import SpecError


def test_permutation_zero_is_the_identity() -> None:
    assert permutation_of(0, 5).tolist() == [0, 1, 2, 3, 4]
    assert square_permutation_of(0, (2, 3, 3), 2).tolist() == list(range(18))


def test_a_permutation_never_changes() -> None:
    assert permutation_of(1, 8).tolist() == torch.randperm(8, generator=torch.Generator().manual_seed(1)).tolist()
    assert permutation_of(1, 8).tolist() == [5, 4, 2, 6, 7, 3, 1, 0]
    assert sorted(permutation_of(7, 64).tolist()) == list(range(64))
    assert permutation_of(7, 64).tolist() != permutation_of(8, 64).tolist()


@pytest.mark.parametrize(
    ("shape", "side", "rows", "columns"),
    [
        ((1, 28, 28), 8, range(10, 18), range(10, 18)),
        ((1, 28, 28), 26, range(1, 27), range(1, 27)),
        ((3, 5, 8), 4, range(4), range(2, 6)),  # 5 - 4 is odd: the smaller margin is on the top
        ((6, 6), 2, range(2, 4), range(2, 4)),
    ],
)
def test_a_square_moves_only_pixels_of_the_central_square(shape: tuple[int, ...], side: int, rows: range, columns: range) -> None:
    order = square_permutation_of(5, shape, side)
    height, width = shape[-2:]
    pixel = order.view(-1, height, width)
    stays = pixel == torch.arange(order.numel()).view_as(pixel)
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[rows.start : rows.stop, columns.start : columns.stop] = True
    assert bool(stays[:, ~inside].all())
    assert sorted(order.tolist()) == list(range(order.numel()))
    assert int(stays[:, inside].sum()) < inside.sum() / 2


def test_a_square_is_shuffled_alike_in_every_channel() -> None:
    order = square_permutation_of(2, (3, 6, 6), 4).view(3, 36)
    assert torch.equal(order[1], order[0] + 36)
    assert torch.equal(order[2], order[0] + 72)


def test_a_square_of_the_whole_image_is_the_whole_permutation() -> None:
    assert torch.equal(square_permutation_of(9, (1, 7, 7), 7), permutation_of(9, 49))


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 28, 7), "square 8 is larger than the images, 28x7"), ((64,), r"square needs images .* have shape \[64\]")],
)
def test_a_square_that_does_not_fit_is_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(SpecError, match=message) as error:
        square_permutation_of(1, shape, 8)
    assert error.value.field == "square"
