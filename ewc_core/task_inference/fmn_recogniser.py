"""Task recognition with the full Forget-Me-Not process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.seeding import generator
from ewc_core.specs.task_inference import FmnInference
from ewc_core.task_inference.debounce import Debounce
from ewc_core.task_inference.dirichlet import FactoredDirichlet
from ewc_core.task_inference.forget_me_not import ForgetMeNot

_PROCESS = "process."


class FmnRecogniser:
    """A task is a lineage of predictors in the pool of a `ForgetMeNot` process over `FactoredDirichlet`s.

    After every observation the process says which lineage explains it best: that of the most probable predictor in the most
    probable segment. Once it said so `debounce` times in a row it is believed, and a lineage gets its label, the next number,
    when it is believed for the first time. It must have been reused by then, unless it is the first: what a segment across a
    switch leaves in the pool is no task. So a task is discovered when the second segment of 2^min_level observations that it
    fills is over; until then the belief stays as it was and is not confirmed.

    Memory: a pool entry and a segment take 4 · num_symbols · num_levels bytes of counts and reservoir_size · num_symbols bytes
    of observations each. At most depth + 1 segments are open, and about pool_size + depth entries and versions of them are
    kept for these; at 42 × 42 symbols of 8 levels and default settings that is 0.23 MiB each, 13 MiB in all.
    """

    def __init__(self, spec: FmnInference, *, num_symbols: int, num_levels: int, seed: int) -> None:
        self._predictor = FactoredDirichlet(num_symbols, num_levels, prior_count=spec.prior_count)
        self._process = ForgetMeNot(
            self._predictor,
            depth=spec.depth,
            pool_size=spec.pool_size,
            lineage_size=spec.lineage_size,
            min_level=spec.min_level,
            reservoir_size=spec.reservoir_size,
            random=generator(seed, "reservoirs"),
        )
        self._debounce = Debounce(spec.debounce)
        self._labels: dict[int, int] = {}  # by lineage
        self._num_settled = 0

    @property
    def num_tasks(self) -> int:
        """Tasks found so far."""
        return len(self._labels)

    @property
    def num_settled(self) -> int:
        """How many observations were explained best by the task believed in."""
        return self._num_settled

    @property
    def posterior(self) -> float:
        """The probability that the last observation is explained by the task believed in; 1 before any evidence."""
        believed = self._debounce.believed
        return 1.0 if believed is None else self._process.lineage_posterior(believed)

    @property
    def is_in_doubt(self) -> bool:
        """Never: the process looks at every observation anew and has no window to wait for, and its posterior is spread over
        predictors of one and the same task when there are several."""
        return False

    def step(self, symbols: NDArray[np.uint8], *, announced: int = -1) -> int | None:
        """Learn from one observation; the task believed in."""
        self._process.step(symbols)
        lineage = self._process.explanation().lineage
        if lineage is not None and (not self._labels or self._process.is_reused(lineage)):
            believed = self._debounce.see(lineage)
            self._labels.setdefault(believed, len(self._labels))
            self._num_settled += int(self._debounce.is_settled)
        return None if self._debounce.believed is None else self._labels[self._debounce.believed]

    def identify(self, window: Sequence[NDArray[np.uint8]]) -> int | None:
        """The task of the predictor in the pool with the largest likelihood of all observations, each predicted alone."""
        slots = self._process.pool.slots
        labels = [self._labels.get(lineage, -1) for lineage in self._process.pool.lineage_of(slots).tolist()]
        known = [number for number, label in enumerate(labels) if label >= 0]
        if not known:
            return None
        statistics = self._process.pool.statistics[slots[known]]
        best = self._predictor.log_likelihoods_of_all(statistics, np.stack(window)).sum(axis=0).argmax()
        return labels[known[int(best)]]

    def state(self) -> dict[str, Tensor]:
        """The process, which lineages have labels, and the belief."""
        return {
            **{_PROCESS + name: tensor for name, tensor in self._process.state().items()},
            "lineages": torch.tensor(list(self._labels), dtype=torch.int64),
            "num_settled": torch.tensor(self._num_settled, dtype=torch.int64),
            "debounce": self._debounce.state(),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            StateFormatError: it is not that of such a recogniser.
        """
        names = {name for name in state if not name.startswith(_PROCESS)}
        if names != {"lineages", "num_settled", "debounce"}:
            raise StateFormatError(f"recogniser: the state holds {sorted(state)}, expected 'lineages' and {_PROCESS!r} in it")
        self._process.load_state({name.removeprefix(_PROCESS): each for name, each in state.items() if name not in names})
        self._labels = {lineage: label for label, lineage in enumerate(state["lineages"].tolist())}
        self._num_settled = int(state["num_settled"])
        self._debounce.load_state(state["debounce"])
