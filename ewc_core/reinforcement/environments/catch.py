"""Catch: a ball falls, a paddle at the bottom has to be below it. Learned in seconds, and made of pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.reinforcement.environments.episodes import Episodes
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.specs.environments import CATCH

NUM_ROWS, NUM_COLUMNS, NUM_ACTIONS = 10, 5, 3
_BRIGHT, _BLOCK = 255, 16


def first_column(seed: int) -> int:
    """Where the ball of an episode starts: what `gymnasium.Env.np_random` draws first after a reset with this seed."""
    return int(np.random.default_rng(seed).integers(NUM_COLUMNS))


def picture_of(board: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A board as a picture [160, 80, 3]: every pixel a block of 16x16."""
    large = np.repeat(np.repeat(board, _BLOCK, axis=0), _BLOCK, axis=1)
    return np.repeat(large[:, :, None], 3, axis=2)


class CatchEnvironment(gymnasium.Env[NDArray[np.uint8], np.int64]):
    """One game: the ball starts in a random column of the top row and falls a row a step; actions move the paddle left,
    leave it, or move it right. When the ball reaches the bottom row the episode ends, with reward 1 if it is caught and −1 if
    not; all other rewards are 0. Observations are uint8 [10, 5]: 255 at ball and paddle, else 0."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (gymnasium's own attribute)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, _BRIGHT, (NUM_ROWS, NUM_COLUMNS), np.uint8)
        self.action_space = spaces.Discrete(NUM_ACTIONS)
        self._row = self._column = self._paddle = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.uint8], dict[str, Any]]:
        """A new ball; the paddle in the middle."""
        super().reset(seed=seed)
        self._row, self._column, self._paddle = 0, int(self.np_random.integers(NUM_COLUMNS)), NUM_COLUMNS // 2
        return self._board(), {}

    def step(self, action: np.int64) -> tuple[NDArray[np.uint8], float, bool, bool, dict[str, Any]]:
        """Move the paddle, then let the ball fall."""
        self._paddle = min(max(self._paddle + int(action) - 1, 0), NUM_COLUMNS - 1)
        self._row += 1
        is_over = self._row == NUM_ROWS - 1
        reward = (1.0 if self._paddle == self._column else -1.0) if is_over else 0.0
        return self._board(), reward, is_over, False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """The board, every pixel as a block of 16x16; nothing without a render mode."""
        return None if self.render_mode is None else picture_of(self._board())

    def _board(self) -> NDArray[np.uint8]:
        board = np.zeros((NUM_ROWS, NUM_COLUMNS), dtype=np.uint8)
        board[self._row, self._column] = _BRIGHT
        board[NUM_ROWS - 1, self._paddle] = _BRIGHT
        return board


class CatchGroup:
    """Many games of Catch as arrays: the same games, frame by frame, as `CatchEnvironment` plays with the same seeds."""

    frame_shape: tuple[int, ...] = (NUM_ROWS, NUM_COLUMNS)
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None

    def __init__(self, num_envs: int, *, num_actions: int, seed: int) -> None:
        self.num_envs, self.num_actions = num_envs, num_actions
        self.frame_dtype: np.dtype[Any] = np.dtype(np.uint8)
        self._episodes = Episodes(num_envs, seed=seed)
        self._rows, self._columns, self._paddles = (np.zeros(num_envs, dtype=np.int64) for _ in range(3))
        self._copies = np.arange(num_envs)

    def reset(self) -> NDArray[np.uint8]:
        """Begin a new episode in every copy."""
        for copy in range(self.num_envs):
            self._begin(copy)
        return self._boards()

    def step(self, actions: NDArray[np.int64]) -> EnvironmentStep:
        """Take one action in every copy."""
        self._episodes.note(actions)
        own = np.where(actions < NUM_ACTIONS, actions, 0)
        self._paddles = np.clip(self._paddles + own - 1, 0, NUM_COLUMNS - 1)
        self._rows = self._rows + 1
        over = self._rows == NUM_ROWS - 1
        rewards = np.where(over, np.where(self._paddles == self._columns, 1.0, -1.0), 0.0)
        final = self._boards()
        frames = final
        if over.any():
            for copy in np.flatnonzero(over):
                self._begin(int(copy))
            frames = self._boards()
        return EnvironmentStep(frames, rewards, over, over.copy(), final)

    def capture(self) -> dict[str, Tensor]:
        """The episodes."""
        return self._episodes.state()

    def restore(self, state: Mapping[str, Tensor]) -> NDArray[np.uint8]:
        """Play the current episodes again."""
        self._episodes.load_state(state)
        for copy, actions in enumerate(self._episodes.actions):
            self._place(copy)
            for action in actions:
                own = action if action < NUM_ACTIONS else 0
                self._paddles[copy] = min(max(self._paddles[copy] + own - 1, 0), NUM_COLUMNS - 1)
            self._rows[copy] = len(actions)
        return self._boards()

    def render(self) -> NDArray[np.uint8]:
        """The board of copy 0, every pixel as a block of 16x16."""
        return picture_of(self._boards()[0])

    def close(self) -> None:
        """Nothing is held."""

    def _begin(self, copy: int) -> None:
        self._episodes.begin(copy)
        self._place(copy)

    def _place(self, copy: int) -> None:
        self._columns[copy] = first_column(self._episodes.seed_of(copy))
        self._rows[copy], self._paddles[copy] = 0, NUM_COLUMNS // 2

    def _boards(self) -> NDArray[np.uint8]:
        boards = np.zeros((self.num_envs, NUM_ROWS, NUM_COLUMNS), dtype=np.uint8)
        boards[self._copies, self._rows, self._columns] = _BRIGHT
        boards[self._copies, NUM_ROWS - 1, self._paddles] = _BRIGHT
        return boards


def register() -> None:
    """Make "ewc/Catch-v0" known to gymnasium; again is harmless."""
    if CATCH not in gymnasium.registry:
        gymnasium.register(CATCH, entry_point=f"{__name__}:{CatchEnvironment.__name__}")
