"""What a network of a job survives: noise of three shapes against the damage that the Fisher predicts."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import FisherSums, blocks_of
from ewc_core.analysis.perturbation import NoiseKind, draw_noise, noise_deviations, null_cut, predicted_increase
from ewc_core.analysis.perturbation_findings import SCALE, finite_or_none, noise_curves, noise_row, null_space
from ewc_core.analysis.subject import OpenedSubject, chosen_examples
from ewc_core.fisher.untouched import untouched
from ewc_core.likelihoods import mean_loss
from ewc_core.seeding import generator
from ewc_core.specs import PerturbationAnalysis
from ewc_core.supervised.evaluate import in_chunks, score
from ewc_core.training.units import Findings


class PerturbationRun:
    """First the Fisher (a unit is a block of training examples), then the noise (a unit is one draw at one σ, in all three
    shapes). The shapes and σs of a draw share their normals, so that they differ by nothing else.

    Loss and score are those of the whole test split; the loss is a mean over examples, in nats.
    """

    def __init__(self, question: PerturbationAnalysis, seed: int, opened: OpenedSubject) -> None:
        self._question, self._seed, self._opened = question, seed, opened
        self._data = opened.data(question.task, field="question.task")
        indices = chosen_examples(self._data, question.num_examples, seed, "examples").sort().values
        self._num_examples = len(indices)
        self._blocks = blocks_of("fisher", question.task, indices)
        self._sums = FisherSums(opened.network, opened.parameters.layout, ["fisher"])
        shape = (len(NoiseKind), len(question.sigmas), question.num_draws)
        self._losses, self._scores = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
        self._base = torch.zeros(2, dtype=torch.float64)
        self.num_steps = len(self._blocks) + 1 + question.num_draws * len(question.sigmas)

    def do(self, step: int) -> None:
        """One block, the unperturbed network, or one draw at one σ."""
        if step < len(self._blocks):
            block, view = self._blocks[step], self._opened.view(self._question.task)
            read = self._opened.reader(block.task, self._data, block.indices)
            self._sums.add(block, read, likelihood=self._data.likelihood, select=view.select)
        elif step == len(self._blocks):
            self._base.copy_(torch.tensor(self._measure(), dtype=torch.float64))
        else:
            self._perturb(*divmod(step - len(self._blocks) - 1, len(self._question.sigmas)))

    def tensors(self) -> dict[str, Tensor]:
        """The Fisher so far and what was measured."""
        return {**self._sums.tensors, "losses": self._losses, "scores": self._scores, "base": self._base}

    def findings(self) -> Findings:
        """`noise`: a row per shape and σ. An increase that is not finite is None, and `num_diverged` counts such draws."""
        question = self._question
        rows = [self._row(kind, which, index) for which, kind in enumerate(NoiseKind) for index in range(len(question.sigmas))]
        null = noise_deviations(NoiseKind.NULL, self._fisher(), sigma=1.0, ridge=0.0, null_quantile=question.null_quantile)
        body = {
            "kind": "perturbation",
            "task": question.task,
            "num_examples": self._num_examples,
            "num_draws": question.num_draws,
            "loss": finite_or_none(float(self._base[0])),
            "score": finite_or_none(float(self._base[1])),
            "scale": SCALE,
            "ridge": question.ridge,
            "null_space": null_space(null_cut(self._fisher(), question.null_quantile), null, quantile=question.null_quantile),
            "noise": rows,
        }
        return Findings(body, noise_curves(rows, question.sigmas))

    def _row(self, kind: NoiseKind, which: int, index: int) -> dict[str, object]:
        return noise_row(
            kind,
            self._question.sigmas[index],
            self._losses[which, index] - self._base[0],
            predicted=predicted_increase(self._fisher(), self._deviations(kind, index)),
            mean_score=float(self._scores[which, index].mean()),
        )

    def _fisher(self) -> Tensor:
        return self._sums.tensors["fisher"] / self._num_examples

    def _deviations(self, kind: NoiseKind, index: int) -> Tensor:
        question = self._question
        return noise_deviations(
            kind, self._fisher(), sigma=question.sigmas[index], ridge=question.ridge, null_quantile=question.null_quantile
        )

    def _perturb(self, draw: int, index: int) -> None:
        values = self._opened.parameters.values
        anchor = values.clone()
        try:
            for which, kind in enumerate(NoiseKind):
                noise = draw_noise(self._deviations(kind, index), generator(self._seed, "noise", draw))
                values.copy_(anchor.double() + noise)
                self._losses[which, index, draw], self._scores[which, index, draw] = self._measure()
        finally:
            values.copy_(anchor)

    def _measure(self) -> tuple[float, float]:
        """Mean loss and score on the test split at the parameters as they are; NaN for a score that is undefined."""
        data, view = self._data, self._opened.view(self._question.task)
        num_examples, total = data.num_examples("test"), 0.0
        with untouched(self._opened.network), torch.no_grad():
            for inputs, targets in in_chunks(self._opened.network, data, "test"):
                outputs = view.outputs(self._opened.network(inputs))
                total += len(inputs) * float(mean_loss(data.likelihood, outputs, view.targets(targets)))
        measured = score(self._opened.network, data, view, split="test")
        return total / num_examples, torch.nan if measured is None else measured
