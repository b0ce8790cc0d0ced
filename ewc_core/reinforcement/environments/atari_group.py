"""Atari games on the emulator, in copies that run in parallel threads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ale_py
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.reinforcement.environments.episodes import Episodes
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.specs.environments import AtariTask

NUM_ACTIONS = 18
_SIDE = 84


class AtariGroup:
    """`num_envs` copies of a game with all 18 actions and 84x84 grey frames.

    Each episode begins with a reset of its own seed, which draws the no-ops; the emulator is deterministic from there on
    (sticky actions included, whose randomness the seed gives), whatever was played before. So a state is restored by playing
    the current episodes again, in all copies side by side.
    """

    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None

    def __init__(self, task: AtariTask, num_envs: int, *, num_actions: int | None, seed: int, for_training: bool) -> None:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.num_envs, self.num_actions = num_envs, num_actions or NUM_ACTIONS
        self.frame_shape: tuple[int, ...] = (_SIDE, _SIDE)
        self.frame_dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._environments = AtariVectorEnv(
            task.game,
            num_envs=num_envs,
            max_num_frames_per_episode=task.max_episode_frames,
            repeat_action_probability=task.repeat_action_probability,
            full_action_space=True,
            autoreset_mode=AutoresetMode.SAME_STEP,
            img_height=_SIDE,
            img_width=_SIDE,
            stack_num=1,
            frameskip=task.action_repeat,
            noop_max=task.no_op_max,
            life_loss_info=for_training and task.lost_life_ends,
            reward_clipping=False,
            use_fire_reset=False,
        )
        self._episodes = Episodes(num_envs, seed=seed)
        self._frame_numbers = np.zeros(num_envs, dtype=np.int64)
        self._environments.reset(seed=0)  # masked resets need a whole one before them

    def reset(self) -> NDArray[np.uint8]:
        """Begin a new episode in every copy."""
        return self._begin(np.ones(self.num_envs, dtype=np.bool_))

    def step(self, actions: NDArray[np.int64]) -> EnvironmentStep:
        """Take one action, for `action_repeat` frames, in every copy."""
        self._episodes.note(actions)
        observed, rewards, terminated, truncated, info = self._environments.step(self._own(actions))
        numbers = np.asarray(info["episode_frame_number"], dtype=np.int64)
        # A lost life is told as an end, too; only a new episode counts its frames from the beginning.
        over = np.asarray(truncated, dtype=np.bool_) | (np.asarray(terminated, dtype=np.bool_) & (numbers <= self._frame_numbers))
        self._frame_numbers = numbers
        frames = np.array(observed).reshape(self.num_envs, _SIDE, _SIDE)
        final = frames
        if over.any():
            final = frames.copy()
            last = info.get("final_obs")
            if last is not None:
                final[over] = np.asarray(last).reshape(self.num_envs, _SIDE, _SIDE)[over]
            frames[over] = self._begin(over)[over]
        return EnvironmentStep(frames, np.asarray(rewards, dtype=np.float64), np.array(terminated), over, final)

    def capture(self) -> dict[str, Tensor]:
        """The episodes."""
        return self._episodes.state()

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[np.uint8]:
        """Play the current episodes again: copies whose episodes are shorter begin later, so that all end together."""
        self._episodes.load_state(state)
        lengths = np.array([len(taken) for taken in self._episodes.actions])
        longest = int(lengths.max())
        frames = np.zeros((self.num_envs, _SIDE, _SIDE), dtype=np.uint8)
        for step in range(longest + 1):
            begins = lengths == longest - step
            if begins.any():
                frames[begins] = self._masked_reset(begins)[begins]
            if step == longest:
                break
            done = step - (longest - lengths)
            actions = np.array([taken[at] if at >= 0 else 0 for taken, at in zip(self._episodes.actions, done, strict=True)])
            observed, _, _, _, info = self._environments.step(self._own(actions))
            frames = np.array(observed).reshape(self.num_envs, _SIDE, _SIDE)
            self._frame_numbers = np.asarray(info["episode_frame_number"], dtype=np.int64)
        return frames

    def render(self) -> NDArray[np.uint8] | None:
        """The emulator of the vectorised environment cannot be drawn in colour; the agent's grey frame is drawn by the caller."""
        return None

    def close(self) -> None:
        """Let go of the emulators."""
        self._environments.close()

    def _begin(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        for copy in np.flatnonzero(mask):
            self._episodes.begin(int(copy))
        return self._masked_reset(mask)

    def _masked_reset(self, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        seeds = np.array([self._episodes.seed_of(int(copy)) for copy in np.flatnonzero(mask)])
        observed, info = self._environments.reset(seed=seeds, options={"reset_mask": mask})
        self._frame_numbers[mask] = np.asarray(info["episode_frame_number"], dtype=np.int64)[mask]
        return np.array(observed).reshape(self.num_envs, _SIDE, _SIDE)

    def _own(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(actions < NUM_ACTIONS, actions, 0)
