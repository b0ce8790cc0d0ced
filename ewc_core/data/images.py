"""Which inputs are images."""

from __future__ import annotations

from ewc_core.errors import SpecError


def image_size(input_shape: tuple[int, ...], *, what: str) -> tuple[int, int]:
    """Height and width of inputs [channels, height, width] or [height, width]; `what` is the field that needs images.

    Raises:
        SpecError: at field `what`: the inputs have another number of dimensions.
    """
    if len(input_shape) not in (2, 3):
        raise SpecError(
            f"{what} needs images [channels, height, width] or [height, width]; the inputs have shape {list(input_shape)}",
            field=what,
        )
    return input_shape[-2], input_shape[-1]
