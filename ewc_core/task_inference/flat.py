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


class FlatRecogniser:
    """p(c, t) ∝ [Σ_c' Γ_t(c, c') p(c', t−1)] · p(o_t | c), with Γ: stay with probability 1 − α, else go anywhere, α = 1/(t + 1).

    p(o | c) = Π_s n_c[s, o_s] / N_c: one categorical per symbol, counts n from a Dirichlet prior (Kirkpatrick et al. 2017,
    supplement; paper.md 5.4). Within a window all models learn; at its end only the winner keeps what it learned, all others
    go back to what they were, bit for bit. The last model is the hold-out, which knows nothing; when it wins, it becomes a
    candidate, and a fresh one takes its place. A candidate that wins the next window, too, is a new task; one that does not
    is dropped: it was made of the end of one task and the beginning of another.

    The winner of a window is the model with the largest likelihood of the whole window, each observation predicted from those
    before it. The posterior is that of the hidden Markov model.
    """

    def __init__(self, spec: FlatInference, *, num_symbols: int, num_levels: int) -> None:
        self._spec = spec
        self._shape = (num_symbols, num_levels)
        self._offsets = np.arange(num_symbols) * num_levels
        # Whole numbers of observations: learning and reverting are exact, and one addition to the prior gives the counts.
        self._counts = np.zeros((1, num_symbols * num_levels), dtype=np.float32)
        self._totals = np.zeros(1)
        self._log_posterior = np.zeros(1)
        self._num_steps = 0
        self._window: list[NDArray[np.int64]] = []
        self._evidence = np.zeros(1)
        self._has_candidate = False
        self._debounce = Debounce(spec.debounce)
        self.num_settled = 0

    @property
    def num_tasks(self) -> int:
        """Tasks found so far."""
        return len(self._totals) - 1 - self._has_candidate

    @property
    def posterior(self) -> float:
        """The posterior probability of the task believed in; 1 before any evidence."""
        believed = self._debounce.believed
        return 1.0 if believed is None else float(np.exp(self._log_posterior[believed]))

    @property
    def log_posterior(self) -> NDArray[np.float64]:
        """Log probability of every task, the hold-out last."""
        return self._log_posterior.copy()

    def step(self, symbols: NDArray[np.uint8], *, announced: int = -1) -> int | None:
        """Learn from one observation; the task believed in."""
        self._num_steps += 1
        at = self._offsets + symbols
        likelihoods = self._log_likelihoods(at)
        self._evidence += likelihoods
        self._log_posterior = self._prior() + self._spec.temper * likelihoods
        self._log_posterior -= np.logaddexp.reduce(self._log_posterior)
        self._window.append(at)
        for model in range(len(self._totals)):
            self._counts[model, at] += 1.0
        self._totals += 1.0
        if len(self._window) == self._spec.window:
            self._judge(self._close_window())
        return self._debounce.believed

    def identify(self, window: Sequence[NDArray[np.uint8]]) -> int | None:
        """The known task with the largest likelihood of all observations."""
        if self.num_tasks == 0:
            return None
        return int(np.argmax(sum(self._log_likelihoods(self._offsets + symbols)[: self.num_tasks] for symbols in window)))

    def counts(self, task: int) -> NDArray[np.float32]:
        """How often every symbol had every level in a task [num_symbols, num_levels], without the prior."""
        return self._counts[task].reshape(self._shape).copy()

    def state(self) -> dict[str, Tensor]:
        """Counts, posterior, and the window so far."""
        window = np.array(self._window, dtype=np.int64).reshape(-1, self._shape[0])
        return {
            "counts": torch.from_numpy(self._counts.copy()),
            "totals": torch.from_numpy(self._totals.copy()),
            "log_posterior": torch.from_numpy(self._log_posterior.copy()),
            "num_steps": torch.tensor(self._num_steps, dtype=torch.int64),
            "window": torch.from_numpy(window),
            "evidence": torch.from_numpy(self._evidence.copy()),
            "counters": torch.tensor([int(self._has_candidate), self.num_settled], dtype=torch.int64),
            "debounce": self._debounce.state(),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave.

        Raises:
            StateFormatError: it is not that of a recogniser of these symbols.
        """
        if set(state) != set(self.state()) or state["counts"].shape[1:] != self._counts.shape[1:]:
            raise StateFormatError(
                f"recogniser: the state holds {sorted(state)}, expected that of {self._shape} symbols and levels"
            )
        self._counts = state["counts"].numpy().copy()
        self._totals = state["totals"].numpy().copy()
        self._log_posterior = state["log_posterior"].numpy().copy()
        self._num_steps = int(state["num_steps"])
        self._window = list(state["window"].numpy().copy())
        self._evidence = state["evidence"].numpy().copy()
        has_candidate, self.num_settled = (int(value) for value in state["counters"])
        self._has_candidate = bool(has_candidate)
        self._debounce.load_state(state["debounce"])

    def _prior(self) -> NDArray[np.float64]:
        num_models = len(self._totals)
        if num_models == 1:
            return np.zeros(1)
        alpha = 1.0 / (self._num_steps + 1)
        posterior = np.exp(self._log_posterior)
        moved: NDArray[np.float64] = np.log((1.0 - alpha) * posterior + alpha * (1.0 - posterior) / (num_models - 1) + 1e-300)
        return moved

    def _log_likelihoods(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        prior = self._spec.prior_count
        seen = np.log(self._counts[:, at] + np.float32(prior)).sum(axis=1, dtype=np.float64)
        result: NDArray[np.float64] = seen - self._shape[0] * np.log(self._totals + prior * self._shape[1])
        return result

    def _judge(self, winner: int) -> None:
        """Take notice of the winner of a window: a known task, the candidate, or the hold-out."""
        num_tasks = self.num_tasks
        if self._has_candidate and winner == num_tasks:
            self._has_candidate = False  # it has won twice: it is a task now
        elif self._has_candidate:
            self._drop_candidate()
            winner -= 1 if winner > num_tasks else 0
        if winner == self.num_tasks:
            self._append_hold_out()
            if winner > 0:
                self._has_candidate = True
                return
        self._debounce.see(winner)
        self.num_settled += int(self._debounce.is_settled)

    def _close_window(self) -> int:
        """Let the winner keep what it learned; returns its index."""
        winner = self._winner()
        for model in range(len(self._totals)):
            if model != winner:
                for at in self._window:
                    self._counts[model, at] -= 1.0
                self._totals[model] -= len(self._window)
        self._window = []
        self._evidence[:] = 0.0
        return winner

    def _winner(self) -> int:
        evidence = self._evidence.copy()
        evidence[-1] -= self._spec.margin
        if self.num_tasks >= self._spec.max_tasks:
            evidence = evidence[:-1]
        return int(np.argmax(evidence))

    def _append_hold_out(self) -> None:
        self._counts = np.concatenate([self._counts, np.zeros_like(self._counts[:1])])
        self._totals, self._evidence = np.append(self._totals, 0.0), np.append(self._evidence, 0.0)
        self._set_posterior(np.append(self._log_posterior, -np.log(self._num_steps + 1.0)))

    def _drop_candidate(self) -> None:
        at = self.num_tasks
        self._counts = np.delete(self._counts, at, axis=0)
        self._totals, self._evidence = np.delete(self._totals, at), np.delete(self._evidence, at)
        self._set_posterior(np.delete(self._log_posterior, at))
        self._has_candidate = False

    def _set_posterior(self, log_posterior: NDArray[np.float64]) -> None:
        self._log_posterior = log_posterior - np.logaddexp.reduce(log_posterior)
