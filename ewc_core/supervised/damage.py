"""What noise on a network does to a task on data."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from ewc_core.analysis.perturbation import NoiseKind
from ewc_core.analysis.perturbation_findings import Row, finite_or_none
from ewc_core.analysis.target import Deviations
from ewc_core.data import TaskData
from ewc_core.fisher.untouched import untouched
from ewc_core.likelihoods import mean_loss
from ewc_core.specs import PerturbationAnalysis
from ewc_core.supervised.evaluate import in_chunks, score
from ewc_core.supervised.heads import HeadView


class DataDamage:
    """A `Damage`: loss and score of the whole test split under every draw. The loss is a mean over examples, in nats."""

    num_before, num_after = 1, 0
    curves: Mapping[str, str] = {}

    def __init__(self, question: PerturbationAnalysis, network: nn.Module, data: TaskData, view: HeadView) -> None:
        self._network, self._data, self._view = network, data, view
        shape = (len(NoiseKind), len(question.sigmas), question.num_draws)
        self._scores, self._base = torch.zeros(shape, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
        self.tensors = {"scores": self._scores, "base": self._base}

    @property
    def base_loss(self) -> float:
        """The loss without noise."""
        return float(self._base[0])

    def before(self, step: int) -> None:
        """The network without noise."""
        self._base.copy_(torch.tensor(self._measure(), dtype=torch.float64))

    def loss(self, which: int, index: int, draw: int) -> float:
        """The loss at the parameters as they are; the score is kept."""
        loss, self._scores[which, index, draw] = self._measure()
        return loss

    def after(self, step: int, deviations: Deviations) -> None:
        """Nothing: every draw was measured as it was made."""

    def row(self, which: int, index: int) -> Row:
        """The mean score over draws."""
        return {"mean_score": finite_or_none(float(self._scores[which, index].mean()))}

    def body(self) -> Row:
        """Loss and score without noise."""
        return {"loss": finite_or_none(float(self._base[0])), "score": finite_or_none(float(self._base[1]))}

    def _measure(self) -> tuple[float, float]:
        """Mean loss and score on the test split at the parameters as they are; NaN for a score that is undefined."""
        num_examples, total = self._data.num_examples("test"), 0.0
        with untouched(self._network), torch.no_grad():
            for inputs, targets in in_chunks(self._network, self._data, "test"):
                outputs = self._view.outputs(self._network(inputs))
                total += len(inputs) * float(mean_loss(self._data.likelihood, outputs, self._view.targets(targets)))
        measured = score(self._network, self._data, self._view, split="test")
        return total / num_examples, torch.nan if measured is None else measured
