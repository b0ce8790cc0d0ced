"""A change is believed only when it has been seen several times in a row."""

from __future__ import annotations

import torch
from torch import Tensor


class Debounce:
    """`believed` follows what is seen once it was the same `num_times` in a row; the first sight is believed at once."""

    def __init__(self, num_times: int) -> None:
        self._num_times = num_times
        self.believed: int | None = None
        self._seen, self._count = -1, 0

    def see(self, label: int) -> int:
        """One sight; what is believed after it."""
        self._count = self._count + 1 if label == self._seen else 1
        self._seen = label
        if self.believed is None or self._count >= self._num_times:
            self.believed = label
        return self.believed

    @property
    def is_settled(self) -> bool:
        """Whether what was seen last is what is believed."""
        return self._seen == self.believed

    def state(self) -> Tensor:
        """int64 [3]: believed (−1: nothing yet), seen, count."""
        return torch.tensor([-1 if self.believed is None else self.believed, self._seen, self._count], dtype=torch.int64)

    def load_state(self, state: Tensor) -> None:
        """Go on from what `state` gave."""
        believed, self._seen, self._count = (int(value) for value in state)
        self.believed = None if believed < 0 else believed
