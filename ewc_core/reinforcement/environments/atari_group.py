"""Atari games on the emulator, in copies that run in parallel threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.reinforcement.environments.atari_emulators import NUM_ACTIONS, SIDE, open_emulators
from ewc_core.reinforcement.environments.atari_picture import AtariPicture
from ewc_core.reinforcement.environments.episodes import Episodes
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.specs.environments import AtariTask

_MIN_STEPS_PER_SEED = 2000


class AtariGroup:
    """`num_envs` copies of a game with all 18 actions and 84x84 grey frames.

    The vectorised emulator cannot store its state. But a reset with a seed loads the game anew, and everything follows from
    it: no-ops, sticky actions and all later episodes. So a state is restored bit for bit by playing again what was played
    since, in all copies side by side. A reset with a seed takes as long as hundreds of steps; a copy gets one when an
    episode ends at least 2000 steps after the last, which bounds what is played again by that and one episode.
    """

    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None

    def __init__(self, task: AtariTask, num_envs: int, *, num_actions: int | None, seed: int, for_training: bool) -> None:
        self.num_envs, self.num_actions = num_envs, num_actions or NUM_ACTIONS
        self.frame_shape: tuple[int, ...] = (SIDE, SIDE)
        self.frame_dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._task, self._for_training = task, for_training
        self._emulators = open_emulators(task, num_envs, for_training=for_training)
        self._episodes = Episodes(num_envs, seed=seed)
        self._frames_before = np.zeros(num_envs, dtype=np.int64)
        self._picture: AtariPicture | None = None

    def reset(self) -> NDArray[np.uint8]:
        """Begin a new episode in every copy, with a new seed."""
        for copy in range(self.num_envs):
            self._episodes.begin(copy)
        return self._seeded(np.ones(self.num_envs, dtype=np.bool_))

    def step(self, actions: NDArray[np.int64]) -> EnvironmentStep:
        """Take one action, for `action_repeat` frames, in every copy."""
        self._episodes.note(actions)
        observed, rewards, terminated, _, info = self._emulators.step(_own(actions))
        over = self._is_new_episode(info)
        frames = _single(observed)
        final = frames
        if over.any():
            final = frames.copy()
            final[over] = _single(info["final_obs"])[over]
            due = over & np.array([len(taken) >= _MIN_STEPS_PER_SEED for taken in self._episodes.actions])
            for copy in np.flatnonzero(due):
                self._episodes.begin(int(copy))
            if due.any():
                frames[due] = self._seeded(due)[due]
        return EnvironmentStep(frames, np.asarray(rewards, dtype=np.float64), np.array(terminated), over, final)

    def capture(self) -> dict[str, Tensor]:
        """The actions since the last seed of every copy."""
        return self._episodes.state()

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[np.uint8]:
        """Play again what was played since the seeds: copies with less of it begin later, so that all end together."""
        self._episodes.load_state(state)
        lengths = np.array([len(taken) for taken in self._episodes.actions])
        longest = int(lengths.max())
        frames = self._seeded(np.ones(self.num_envs, dtype=np.bool_))
        for step in range(longest):
            at = step - (longest - lengths)
            actions = np.array([taken[i] if i >= 0 else 0 for taken, i in zip(self._episodes.actions, at, strict=True)])
            observed, *_, info = self._emulators.step(_own(actions))
            self._is_new_episode(info)
            frames = _single(observed)
            begins = at == -1
            if begins.any():
                frames[begins] = self._seeded(begins)[begins]
        return frames

    def render(self) -> NDArray[np.uint8]:
        """Copy 0 in colour, [210, 160, 3]: a second emulator plays along from the first call on."""
        if self._picture is None:
            self._picture = AtariPicture(self._task, for_training=self._for_training)
        own = _own(np.array(self._episodes.actions[0], dtype=np.int64))
        return self._picture.draw(self._episodes.seed_of(0), own.tolist())

    def close(self) -> None:
        """Let go of the emulators."""
        self._emulators.close()
        if self._picture is not None:
            self._picture.close()

    def _seeded(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Reset the copies in `mask` with their seeds; frames of all copies."""
        seeds = np.array([self._episodes.seed_of(int(copy)) for copy in np.flatnonzero(mask)])
        # The emulators take a mask only after a whole reset.
        observed, info = self._emulators.reset(seed=seeds, options=None if mask.all() else {"reset_mask": mask})
        self._is_new_episode(info)
        return _single(observed)

    def _is_new_episode(self, info: Mapping[str, Any]) -> NDArray[np.bool_]:
        """Which copies began an episode since the last call. A termination may be the loss of a life, so it does not tell."""
        before = np.asarray(info["frame_number"], dtype=np.int64) - np.asarray(info["episode_frame_number"], dtype=np.int64)
        changed: NDArray[np.bool_] = before != self._frames_before
        self._frames_before = before
        return changed


def _single(observed: Any) -> NDArray[np.uint8]:
    return np.array(observed, dtype=np.uint8).reshape(-1, SIDE, SIDE)


def _own(actions: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(actions < NUM_ACTIONS, actions, 0)
