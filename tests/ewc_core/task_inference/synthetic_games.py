"""Streams of symbols from made-up games: a random background each, of which some symbols are replaced at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.uint8]


class Games:
    """Draws observations [num_symbols] of `num_games` games."""

    def __init__(self, num_games: int, *, num_symbols: int = 400, num_levels: int = 8, noise: float = 0.1, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._backgrounds = self._random.integers(0, num_levels, (num_games, num_symbols))
        self.num_symbols, self.num_levels, self._noise = num_symbols, num_levels, noise

    def observe(self, game: int) -> Symbols:
        """One observation of a game."""
        noise = self._random.integers(0, self.num_levels, self.num_symbols)
        is_noise = self._random.random(self.num_symbols) < self._noise
        return np.where(is_noise, noise, self._backgrounds[game]).astype(np.uint8)

    def play(self, order: Sequence[int], length: int) -> Iterator[tuple[int, Symbols]]:
        """(game, observation) of visits of `length` observations."""
        for game in order:
            for _ in range(length):
                yield game, self.observe(game)
