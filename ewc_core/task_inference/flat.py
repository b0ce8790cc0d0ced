"""Task recognition as the paper's supplement has it: a hidden Markov model over tasks with factored Dirichlet models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import StateFormatError
from ewc_core.specs.task_inference import FlatInference
from ewc_core.task_inference.debounce import Debounce
from ewc_core.task_inference.dirichlet import FactoredDirichlet

_NAMES = ("statistics", "window", "log_weights", "counters", "debounce")


class FlatRecogniser:
    """p(c, w) ∝ [Σ_c' Γ_w(c, c') p(c', w−1)] · p(o_w | c)^temper over windows w: Γ stays with probability 1 − α, else goes to any
    other task alike, α = 1/w (Kirkpatrick et al. 2017, supplement; paper.md 5.4).

    p(o | c) is a `FactoredDirichlet`; within a window every observation is predicted from those before it, and all predictors
    learn. At its end the one with the largest posterior keeps what it learned; all others are what they were, bit for bit,
    for what a window teaches is the same for all of them and is kept apart until then. The last predictor is the hold-out,
    which knows nothing; when it wins it becomes a task, and a fresh one takes its place.

    Where this differs from the paper's text, and why:

    - Tasks change between windows, not within: the winner learns the whole window, so it is to explain the whole of it. With
      changes between any two observations the end of a window alone would choose who learns its beginning.
    - `margin`: the hold-out's log posterior counts that much less when the winner is chosen (the text: a remedy).
    - `new_task_windows`: a hold-out that wins is a candidate until it has won so many windows in a row, the margin held
      against it each time, and is dropped if another wins before. A window across a switch belongs to no task: without this
      it becomes one (the text: a remedy). One that is the first of all is a task at once. At 1 the text's rule holds.
    - At `max_tasks` the hold-out cannot win (the text leaves this open).
    - A belief follows the winner after `debounce` windows (the text: the winner is the label).
    """

    def __init__(self, spec: FlatInference, *, num_symbols: int, num_levels: int) -> None:
        self._spec = spec
        self._predictor = FactoredDirichlet(num_symbols, num_levels, prior_count=spec.prior_count)
        self._statistics = self._predictor.empty(1)
        self._window = self._predictor.empty(1)[0]
        self._log_weights = np.zeros(1)
        self._num_windows = self._num_in_window = 0
        self._num_wins = 0  # of the candidate, which stands before the hold-out; 0: there is none
        self._debounce = Debounce(spec.debounce)
        self._num_settled = 0

    @property
    def num_tasks(self) -> int:
        """Tasks found so far."""
        return len(self._statistics) - 1 - (self._num_wins > 0)

    @property
    def num_settled(self) -> int:
        """How many windows were won by the task believed in."""
        return self._num_settled

    @property
    def posterior(self) -> float:
        """The posterior probability of the task believed in; 1 before any evidence."""
        believed = self._debounce.believed
        return 1.0 if believed is None else float(np.exp(self.log_posterior[believed]))

    @property
    def is_in_doubt(self) -> bool:
        """Whether the posterior of the task believed in has fallen below ½, in the middle of a window or after one."""
        return self.posterior < 0.5

    @property
    def log_posterior(self) -> NDArray[np.float64]:
        """Log probability of every task, then of the candidate if there is one, the hold-out last."""
        normalised: NDArray[np.float64] = self._log_weights - np.logaddexp.reduce(self._log_weights)
        return normalised

    def step(self, symbols: NDArray[np.uint8], *, announced: int = -1) -> int | None:
        """Learn from one observation; the task believed in."""
        if self._num_in_window == 0:
            self._log_weights = self._prior()
        at = self._predictor.entries(symbols)
        rows = self._statistics.take(at, axis=1)
        rows += self._window.take(at)
        self._log_weights += self._spec.temper * self._predictor.log_likelihoods(rows)
        self._window[at] += 1
        self._num_in_window += 1
        if self._num_in_window == self._spec.window:
            self._close_window()
        return self._debounce.believed

    def identify(self, window: Sequence[NDArray[np.uint8]]) -> int | None:
        """The known task with the largest likelihood of all observations, each predicted alone."""
        if self.num_tasks == 0:
            return None
        known = self._statistics[: self.num_tasks]
        return int(self._predictor.log_likelihoods_of_all(known, np.stack(window)).sum(axis=0).argmax())

    def counts(self, task: int) -> NDArray[np.float32]:
        """How often every symbol had every level in a task [num_symbols, num_levels], without the prior; −1: the hold-out."""
        shape = (self._predictor.num_symbols, self._predictor.num_levels)
        counts: NDArray[np.float32] = self._statistics[task, :-1].reshape(shape).copy()
        return counts

    def state(self) -> dict[str, Tensor]:
        """Statistics, posterior, and the window so far."""
        counters = [self._num_windows, self._num_in_window, self._num_wins, self._num_settled]
        return {
            "statistics": torch.from_numpy(self._statistics.copy()),
            "window": torch.from_numpy(self._window.copy()),
            "log_weights": torch.from_numpy(self._log_weights.copy()),
            "counters": torch.tensor(counters, dtype=torch.int64),
            "debounce": self._debounce.state(),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            StateFormatError: it is not that of a recogniser of these symbols.
        """
        if set(state) != set(_NAMES) or state["statistics"].shape[1:] != (self._predictor.size,):
            raise StateFormatError(
                f"recogniser: the state holds {sorted(state)}, expected {sorted(_NAMES)} with statistics of "
                f"{self._predictor.num_symbols} symbols of {self._predictor.num_levels} levels"
            )
        self._statistics = state["statistics"].numpy().copy()
        self._window = state["window"].numpy().copy()
        self._log_weights = state["log_weights"].numpy().copy()
        self._num_windows, self._num_in_window, self._num_wins, self._num_settled = state["counters"].tolist()
        self._debounce.load_state(state["debounce"])

    def _prior(self) -> NDArray[np.float64]:
        """The log posterior after one transition."""
        others = len(self._log_weights) - 1
        if others == 0:
            return np.zeros(1)
        alpha = 1.0 / (self._num_windows + 1)
        posterior = np.exp(self.log_posterior)
        moved: NDArray[np.float64] = np.log((1.0 - alpha) * posterior + alpha * (1.0 - posterior) / others + 1e-300)
        return moved

    def _close_window(self) -> None:
        winner = self._winner()
        self._statistics[winner] += self._window
        self._window[:] = 0
        self._num_windows += 1
        self._num_in_window = 0
        self._judge(winner)

    def _winner(self) -> int:
        if self.num_tasks >= self._spec.max_tasks:
            return int(np.argmax(self._log_weights[:-1]))
        weights = self._log_weights.copy()
        weights[self.num_tasks :] -= self._spec.margin
        return int(np.argmax(weights))

    def _judge(self, winner: int) -> None:
        """Take notice of the winner of a window: a known task, the candidate, or the hold-out."""
        if self._num_wins > 0 and winner == self.num_tasks:
            self._num_wins += 1
            if self._num_wins < self._spec.new_task_windows:
                return
            self._num_wins = 0
        elif self._num_wins > 0:
            winner -= 1 if winner > self.num_tasks else 0
            self._drop_candidate()
        if winner == len(self._statistics) - 1:
            self._append_hold_out()
            if winner > 0 and self._spec.new_task_windows > 1:
                self._num_wins = 1
                return
        self._debounce.see(winner)
        self._num_settled += int(self._debounce.is_settled)

    def _append_hold_out(self) -> None:
        self._statistics = np.concatenate([self._statistics, self._predictor.empty(1)])
        self._log_weights = np.append(self.log_posterior, -np.log(self._num_windows + 1.0))

    def _drop_candidate(self) -> None:
        candidate = self.num_tasks
        self._statistics = np.delete(self._statistics, candidate, axis=0)
        self._log_weights = np.delete(self._log_weights, candidate)
        self._num_wins = 0
