"""The weight of an adaptive proximal step, kept from one refresh to the next together with what it was made for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.consolidation.merge import Quadratic
from ewc_core.consolidation.proximal import AdaptiveWeight, refreshed_at

_WEIGHT, _MADE_FOR = "proximal_weight", "proximal_weight_made_for"


class KeptWeight:
    """w of `AdaptiveWeight`: made anew when the precision or the learning rate is another, and when `refreshed_at` says so.

    The state holds the weight, and the learning rate and the step that it was made for, but not the precision: the first
    quadratic asked for after loading must be the one that was in force.
    """

    def __init__(self, *, eps: float) -> None:
        """`eps` is that of the data step."""
        self._eps = eps
        self._weight: Tensor | None = None
        self._adaptive: AdaptiveWeight | None = None
        self._precision: Tensor | None = None
        self._learning_rate, self._num_steps = 0.0, 0

    def forget(self) -> None:
        """Make the weight anew at the next step."""
        self._weight = None

    def at(
        self, num_steps: int, quadratic: Quadratic, second_moment: Tensor, *, learning_rate: float, bias_correction: float = 1.0
    ) -> Tensor:
        """The weight of step `num_steps` (from 1); read only. `second_moment` and `bias_correction` are those of
        `AdaptiveWeight.compute`."""
        is_same_precision = self._precision is None or _are_equal(self._precision, quadratic.precision)
        if learning_rate != self._learning_rate or not is_same_precision:
            self._weight = self._adaptive = None
        self._learning_rate, self._precision = learning_rate, quadratic.precision
        if self._weight is None or refreshed_at(num_steps) != refreshed_at(self._num_steps):
            if self._adaptive is None:
                self._adaptive = AdaptiveWeight(quadratic, learning_rate=learning_rate, eps=self._eps)
            self._weight = torch.empty_like(second_moment) if self._weight is None else self._weight
            self._adaptive.compute(second_moment, bias_correction=bias_correction, out=self._weight)
            self._num_steps = num_steps
        return self._weight

    def state(self) -> dict[str, Tensor]:
        """Copies of the weight and of what it was made for; nothing when there is none."""
        if self._weight is None:
            return {}
        made_for = torch.tensor([self._learning_rate, self._num_steps], dtype=torch.float64)
        return {_WEIGHT: self._weight.clone(), _MADE_FOR: made_for}

    def blank_state(self, names: Mapping[str, object], *, like: Tensor) -> dict[str, Tensor]:
        """Tensors of the shapes and dtypes that `load_state` takes when a state with these names is to be loaded."""
        if _WEIGHT not in names:
            return {}
        blank = {_WEIGHT: torch.empty_like(like), _MADE_FOR: torch.empty(2, dtype=torch.float64)}
        return {name: tensor for name, tensor in blank.items() if name in names}

    def load_state(self, state: Mapping[str, Tensor], *, num_steps: int, learning_rate: float) -> None:
        """Go on from `state`. A weight that does not say what it was made for (version 0.1.0 stored none) is good for
        `learning_rate` and for what is left of the steps until the next refresh after `num_steps`."""
        self._weight = state[_WEIGHT].clone() if _WEIGHT in state else None
        self._adaptive = self._precision = None
        self._learning_rate, self._num_steps = learning_rate, num_steps
        if _MADE_FOR in state:
            self._learning_rate, step = state[_MADE_FOR].tolist()
            self._num_steps = int(step)


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return one is other or torch.equal(one, other)
