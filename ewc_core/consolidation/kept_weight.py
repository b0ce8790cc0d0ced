"""The weight of an adaptive proximal step, kept from one refresh to the next together with what it was made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ewc_core.consolidation.proximal import refreshed_at

_WEIGHT, _MADE_FOR = "proximal_weight", "proximal_weight_made_for"


class KeptWeight:
    """A weight per coordinate: made anew when the precision or the learning rate is another, and when `refreshed_at` says so.

    The state holds the weight, and the learning rate and the step that it was made for, but not the precision: the first
    penalty asked for after loading must be the one that was in force.
    """

    def __init__(self) -> None:
        self._weight: Tensor | None = None
        self._precision: Tensor | None = None
        self._learning_rate, self._num_steps = 0.0, 0

    def forget(self) -> None:
        """Make the weight anew at the next step."""
        self._weight = self._precision = None

    def at(self, num_steps: int, *, precision: Tensor, learning_rate: float, write: Callable[[Tensor], None]) -> Tensor:
        """The weight [num_parameters] of step `num_steps` (from 1), which `write` writes when it is due; read only."""
        is_same_precision = self._precision is None or _are_equal(self._precision, precision)
        if learning_rate != self._learning_rate or not is_same_precision:
            self._weight = None
        self._learning_rate, self._precision = learning_rate, precision
        if self._weight is None or refreshed_at(num_steps) != refreshed_at(self._num_steps):
            self._weight = torch.empty_like(precision) if self._weight is None else self._weight
            write(self._weight)
            self._num_steps = num_steps
        return self._weight

    def state(self) -> dict[str, Tensor]:
        """The weight and what it was made for, as they are now; nothing when there is none."""
        if self._weight is None:
            return {}
        made_for = torch.tensor([self._learning_rate, self._num_steps], dtype=torch.float64)
        return {_WEIGHT: self._weight, _MADE_FOR: made_for}

    def blank_state(self, names: Mapping[str, object], *, like: Tensor) -> dict[str, Tensor]:
        """Tensors of the shapes and dtypes that `load_state` takes when a state with these names is to be loaded."""
        if _WEIGHT not in names:
            return {}
        blank = {_WEIGHT: torch.empty_like(like), _MADE_FOR: torch.empty(2, dtype=torch.float64)}
        return {name: tensor for name, tensor in blank.items() if name in names}

    def load_state(self, state: Mapping[str, Tensor], *, num_steps: int, learning_rate: float) -> None:
        """Go on from `state`, whose tensors become the optimiser's own. A weight that does not say what it was made for
        (version 0.1.0 stored none) is good for `learning_rate` and for what is left of the steps until the next refresh after
        `num_steps`."""
        self._weight = state.get(_WEIGHT)
        self._precision = None
        self._learning_rate, self._num_steps = learning_rate, num_steps
        if _MADE_FOR in state:
            self._learning_rate, step = state[_MADE_FOR].tolist()
            self._num_steps = int(step)


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one is other or torch.equal(one, other)
