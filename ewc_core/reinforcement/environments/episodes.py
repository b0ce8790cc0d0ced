"""What was done in every copy of an environment since it was last seeded: all there is to its state."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.derived_seed import derive_seed
from ewc_core.errors import StateFormatError

_NUMBERS, _LENGTHS, _ACTIONS = "episode_numbers", "episode_lengths", "actions"
_SEED_RANGE = 2**31 - 1


class Episodes:
    """Per copy the number of its episode (from 0) and the actions taken in it so far.

    Where it is dear to seed an environment, several episodes in a row count as one here.
    """

    def __init__(self, num_envs: int, *, seed: int) -> None:
        self.numbers = np.full(num_envs, -1, dtype=np.int64)
        self.actions: list[list[int]] = [[] for _ in range(num_envs)]
        self._seed = seed

    def begin(self, copy: int) -> int:
        """A new episode in one copy; returns its seed, in [0, 2**31 − 1)."""
        self.numbers[copy] += 1
        self.actions[copy] = []
        return self.seed_of(copy)

    def seed_of(self, copy: int) -> int:
        """The seed of the episode that a copy is in."""
        return derive_seed(self._seed, "episode", copy, int(self.numbers[copy])) % _SEED_RANGE

    def note(self, actions: NDArray[np.int64]) -> None:
        """One action was taken in every copy."""
        for taken, action in zip(self.actions, actions.tolist(), strict=True):
            taken.append(action)

    def state(self) -> dict[str, Tensor]:
        """Numbers, lengths, and all actions one copy after the other."""
        flat = [action for taken in self.actions for action in taken]
        return {
            _NUMBERS: torch.from_numpy(self.numbers.copy()),
            _LENGTHS: torch.tensor([len(taken) for taken in self.actions], dtype=torch.int64),
            _ACTIONS: torch.tensor(flat, dtype=torch.int16),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            StateFormatError: it is of another number of copies, or damaged.
        """
        num_envs = len(self.actions)
        if (
            set(state) != {_NUMBERS, _LENGTHS, _ACTIONS}
            or state[_NUMBERS].shape != (num_envs,)
            or state[_LENGTHS].shape != (num_envs,)
        ):
            raise StateFormatError(f"environments: the state holds {sorted(state)}, expected that of {num_envs} copies")
        lengths = state[_LENGTHS].tolist()
        if min(lengths) < 0 or sum(lengths) != len(state[_ACTIONS]):
            raise StateFormatError(f"environments: {len(state[_ACTIONS])} actions for episodes of {lengths} steps")
        self.numbers = state[_NUMBERS].numpy().copy()
        self.actions = [part.tolist() for part in torch.split(state[_ACTIONS], lengths)]
