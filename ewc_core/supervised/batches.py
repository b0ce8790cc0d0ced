"""Which examples each step of a visit sees."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.seeding import PathPart, generator


class ShuffledBatches:
    """Minibatches of one task by step number: every epoch is a fresh shuffle, cut into batches; the last may be short.

    The order of an epoch derives from (seed, path, epoch) alone, so any step can be asked for at any time.
    """

    def __init__(self, num_examples: int, batch_size: int, *, seed: int, path: tuple[PathPart, ...]) -> None:
        self._num_examples = num_examples
        self._batch_size = batch_size
        self._seed = seed
        self._path = path
        self._epoch = -1
        self._order = torch.empty(0, dtype=torch.int64)

    @property
    def steps_per_epoch(self) -> int:
        """Number of minibatches in one pass."""
        return -(-self._num_examples // self._batch_size)

    def at(self, step: int) -> Tensor:
        """Indices int64 [n] of the examples of step `step` (from 0), n <= batch size."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._order = torch.randperm(self._num_examples, generator=generator(self._seed, *self._path, epoch))
            self._epoch = epoch
        return self._order[position * self._batch_size : (position + 1) * self._batch_size]

    def num_examples_in(self, num_steps: int) -> int:
        """Examples in the first `num_steps` steps, counted with repetition."""
        epochs, rest = divmod(num_steps, self.steps_per_epoch)
        return epochs * self._num_examples + min(rest * self._batch_size, self._num_examples)
