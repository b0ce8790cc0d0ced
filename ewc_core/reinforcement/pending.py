"""What has been done but not yet stored: transitions wait until it is known which task they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.reinforcement.replay import Replay

_NAMES = ("frames", "actions", "rewards", "terminated", "over", "final_frames")


class PendingTransitions:
    """Transitions of all copies in the order in which they were made, with marks where the game went on elsewhere."""

    def __init__(self) -> None:
        self._items: list[tuple[NDArray[Any], ...]] = []
        self._cuts: list[int] = []
        self._num_cut_episodes = 0

    def __len__(self) -> int:
        """Number of transitions per copy."""
        return len(self._items)

    @property
    def num_entries(self) -> int:
        """At most so many entries will each stream of a replay take: one more for every episode that is cut."""
        return len(self._items) + self._num_cut_episodes

    def add(self, frames: NDArray[Any], actions: NDArray[np.int64], rewards: NDArray[np.float64], step: EnvironmentStep) -> None:
        """One transition of every copy, with the rewards as they are to be learned."""
        self._items.append((frames, actions, rewards, step.terminated, step.over, step.final_frames))
        self._num_cut_episodes += bool((step.over & ~step.terminated).any())

    def cut(self) -> None:
        """What comes next does not follow from what was added last."""
        self._cuts.append(len(self._items))

    def move_to(self, replay: Replay) -> int:
        """Store everything; returns the number of transitions, over all copies."""
        num_moved = 0
        for number, item in enumerate(self._items):
            if number in self._cuts:
                replay.cut()
            replay.append(*item)
            num_moved += len(item[1])
        if len(self._items) in self._cuts:
            replay.cut()
        self._items, self._cuts, self._num_cut_episodes = [], [], 0
        return num_moved

    def state(self) -> dict[str, Tensor]:
        """Copies of everything that waits."""
        state = {"cuts": torch.tensor(self._cuts, dtype=torch.int64)}
        if self._items:
            for name, parts in zip(_NAMES, zip(*self._items, strict=True), strict=True):
                state[name] = torch.from_numpy(np.stack(parts))
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave. Raises StateFormatError when parts are missing or unknown."""
        if set(state) not in ({"cuts"}, {"cuts", *_NAMES}):
            raise StateFormatError(f"pending transitions: the state holds {sorted(state)}, expected {['cuts', *_NAMES]}")
        self._cuts = state["cuts"].tolist()
        parts = [list(state[name].numpy().copy()) for name in _NAMES if name in state]
        self._items = list(zip(*parts, strict=True)) if parts else []
        self._num_cut_episodes = sum(bool((over & ~terminated).any()) for _, _, _, terminated, over, _ in self._items)
