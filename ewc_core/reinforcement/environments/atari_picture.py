"""Pictures in colour of an Atari game that is played on grey frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ewc_core.reinforcement.environments.atari_emulators import open_emulators
from ewc_core.specs.environments import AtariTask


class AtariPicture:
    """A second emulator that plays what one copy of a group plays: the same seed, the same actions, and so the same game."""

    def __init__(self, task: AtariTask, *, for_training: bool) -> None:
        self._emulator = open_emulators(task, 1, for_training=for_training, in_colour=True)
        self._seed: int | None = None
        self._num_played = 0
        self._picture: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)

    def draw(self, seed: int, actions: Sequence[int]) -> NDArray[np.uint8]:
        """The picture [210, 160, 3] after `actions` since the reset with `seed`; only those not yet played are played."""
        if seed != self._seed or len(actions) < self._num_played:
            self._picture = self._emulator.reset(seed=np.array([seed]))[0]
            self._seed, self._num_played = seed, 0
        for action in actions[self._num_played :]:
            self._picture = self._emulator.step(np.array([action]))[0]
        self._num_played = len(actions)
        return np.array(self._picture).reshape(self._picture.shape[-3:])

    def close(self) -> None:
        """Let go of the emulator."""
        self._emulator.close()
