"""Early stopping on the mean validation score of all tasks seen, with the best weights restored.

Kirkpatrick et al. 2017 after Goodfellow et al. 2014: when the validation error has been above its best for more than a
few epochs, the visit ends, and the weights go back to those of the best epoch.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.errors import StateFormatError

_NAMES = {"best_score", "best_values", "epochs_since_best"}


class EarlyStopping:
    """Follows one visit, epoch by epoch."""

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._best_score = -torch.inf
        self._best_values: Tensor | None = None
        self._epochs_since_best = 0

    @property
    def is_over(self) -> bool:
        """Whether the score has been below its best for `patience` epochs in a row."""
        return self._epochs_since_best >= self._patience

    @property
    def best_values(self) -> Tensor | None:
        """Flat parameters at the best epoch; None before the first."""
        return self._best_values

    def note_epoch(self, score: float, values: Tensor) -> None:
        """Take the mean validation score after an epoch; a tie counts as no better."""
        if score > self._best_score:
            self._best_score, self._best_values, self._epochs_since_best = score, values.clone(), 0
        else:
            self._epochs_since_best += 1

    def state(self) -> dict[str, Tensor]:
        """What has been noted, as it is now; empty before the first epoch."""
        if self._best_values is None:
            return {}
        return {
            "best_score": torch.tensor(self._best_score, dtype=torch.float64),
            "best_values": self._best_values,
            "epochs_since_best": torch.tensor(self._epochs_since_best, dtype=torch.int64),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`.

        Raises:
            StateFormatError: parts are missing or unknown.
        """
        if not state:
            return
        if set(state) != _NAMES:
            raise StateFormatError(f"early stopping state holds {sorted(state)}, expected {sorted(_NAMES)} or nothing")
        self._best_score = float(state["best_score"])
        self._best_values = state["best_values"].clone()
        self._epochs_since_best = int(state["epochs_since_best"])
