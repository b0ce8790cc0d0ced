"""What an optimiser on the flat parameters is: a step, a proximal step, and a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from ewc_core.consolidation.merge import Quadratic
from ewc_core.errors import StateFormatError

Step = Callable[[], None]


class Optimiser(Protocol):
    """Steps on `FlatParameters` in place, from their gradient, at `learning_rate`, which may be set between steps."""

    learning_rate: float

    def step(self) -> None:
        """One step on the parameters from the gradient as it is."""

    def forget_penalty(self) -> None:
        """What was worked out for an earlier quadratic no longer holds: make it anew at the next proximal step."""

    def proximal(self, quadratic: Quadratic) -> Step:
        """What to call instead of `step`: the data step, then the implicit step on `quadratic` of the fitting size.

        Both steps are of the learning rate that is set when they are made.
        """

    def state(self) -> dict[str, Tensor]:
        """Copies of everything that the next step depends on."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`. Raises StateFormatError when names, shapes or dtypes are not those of `state()`."""


def check_state(given: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raises StateFormatError when names, shapes or dtypes differ from those of `expected`."""
    if {name: (tensor.shape, tensor.dtype) for name, tensor in given.items()} != {
        name: (tensor.shape, tensor.dtype) for name, tensor in expected.items()
    }:
        raise StateFormatError(
            f"optimiser state holds {sorted(given)}, expected {sorted(expected)} with the shapes of this network and optimiser"
        )
