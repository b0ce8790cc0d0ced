"""What recognises tasks, and the one that is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.specs.task_inference import FlatInference, OracleInference, TaskInferenceSpec
from ewc_core.task_inference.flat import FlatRecogniser
from ewc_core.task_inference.fmn_recogniser import FmnRecogniser


class TaskRecogniser(Protocol):
    """Labels tasks 0, 1, 2, ... in the order of their discovery; a label never changes its meaning."""

    @property
    def num_tasks(self) -> int:
        """Tasks found so far."""

    @property
    def posterior(self) -> float:
        """The posterior probability of the task believed in; 1 before any evidence."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether the evidence speaks against the task believed in, without having changed the belief yet."""

    @property
    def num_settled(self) -> int:
        """How often the evidence up to an observation has confirmed the belief: whenever this grows, everything observed so
        far belongs to the task believed in, or to one believed in before."""

    def step(self, symbols: NDArray[np.uint8], *, announced: int) -> int | None:
        """Learn from one observation [num_symbols]; the task believed in, None before the first belief. Only the oracle
        reads `announced`."""

    def identify(self, window: Sequence[NDArray[np.uint8]]) -> int | None:
        """The known task that explains these observations best, None when none is known. Changes nothing."""

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on."""

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when it does not fit."""


class Oracle:
    """Believes what it is told."""

    posterior = 1.0
    is_in_doubt = False

    def __init__(self) -> None:
        self.num_tasks = self.num_settled = 0
        self._told: int | None = None

    def step(self, symbols: NDArray[np.uint8], *, announced: int) -> int | None:
        """`announced`."""
        self._told = announced
        self.num_settled += 1
        self.num_tasks = max(self.num_tasks, announced + 1)
        return announced

    def identify(self, window: Sequence[NDArray[np.uint8]]) -> int | None:
        """The task told last."""
        return self._told

    def state(self) -> dict[str, Tensor]:
        """What it was told."""
        return {
            "told": torch.tensor([-1 if self._told is None else self._told, self.num_tasks, self.num_settled], dtype=torch.int64)
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        if set(state) != {"told"}:
            raise StateFormatError(f"oracle: the state holds {sorted(state)}, expected 'told'")
        told, self.num_tasks, self.num_settled = (int(value) for value in state["told"])
        self._told = None if told < 0 else told


def make_recogniser(spec: TaskInferenceSpec, *, num_symbols: int, num_levels: int, seed: int) -> TaskRecogniser:
    """A recogniser that knows nothing yet. `seed` draws what the Forget-Me-Not process keeps of its past."""
    if isinstance(spec, OracleInference):
        return Oracle()
    if isinstance(spec, FlatInference):
        return FlatRecogniser(spec, num_symbols=num_symbols, num_levels=num_levels)
    return FmnRecogniser(spec, num_symbols=num_symbols, num_levels=num_levels, seed=seed)
