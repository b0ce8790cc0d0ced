"""What an optimiser on the flat parameters is: a step, a proximal step, and a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor

from ewc_core.consolidation import Penalty
from ewc_core.errors import StateFormatError

Step = Callable[[], None]


class Optimiser(Protocol):
    """Steps on `FlatParameters` in place, from their gradient, at `learning_rate`, which may be set between steps."""

    learning_rate: float

    def step(self) -> None:
        """One step on the parameters from the gradient as it is."""

    def forget_penalty(self) -> None:
        """What was worked out for an earlier penalty no longer holds: make it anew at the next proximal step."""

    def proximal(self, penalty: Penalty) -> Step:
        """What to call instead of `step`: the data step, then the implicit step on `penalty` of the fitting size.

        Both steps are of the learning rate that is set when they are made.
        """

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, as it is now: the tensors change with that step."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a copy of `state`. Raises StateFormatError when names, shapes or dtypes are not those of `state()`."""


def load_into(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Copy an optimiser's state into its own tensors, one after the other: those of a stored state are read here.

    Raises:
        StateFormatError: names, shapes or dtypes differ; some tensors may have been copied.
    """
    fits = set(given) == set(own)
    for name in sorted(own) if fits else ():
        tensor = given[name]
        fits = fits and (tensor.shape, tensor.dtype) == (own[name].shape, own[name].dtype)
        if fits:
            own[name].copy_(tensor)
    if not fits:
        raise StateFormatError(
            f"optimiser state holds {sorted(given)}, expected {sorted(own)} with the shapes of this network and optimiser"
        )
