"""What a network of a job survives: noise of three shapes against the damage that the Fisher predicts."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import FisherSums, blocks_of
from ewc_core.analysis.perturbation import NoiseKind, draw_noise, noise_deviations, predicted_increase
from ewc_core.analysis.subject import OpenedSubject, chosen_examples
from ewc_core.computation import ComputationResult, CurvePoint
from ewc_core.likelihoods import mean_loss
from ewc_core.seeding import generator
from ewc_core.specs import PerturbationAnalysis
from ewc_core.supervised.evaluate import score

_CHUNK = 2048


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
        self._sums = FisherSums(opened, ["fisher"])
        shape = (len(NoiseKind), len(question.sigmas), question.num_draws)
        self._losses, self._scores = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
        self._base = torch.zeros(2, dtype=torch.float64)
        self.num_steps = len(self._blocks) + 1 + question.num_draws * len(question.sigmas)

    def do(self, step: int) -> None:
        """One block, the unperturbed network, or one draw at one σ."""
        if step < len(self._blocks):
            self._sums.add(self._blocks[step], self._data)
        elif step == len(self._blocks):
            self._base.copy_(torch.tensor(self._measure(), dtype=torch.float64))
        else:
            self._perturb(*divmod(step - len(self._blocks) - 1, len(self._question.sigmas)))

    def tensors(self) -> dict[str, Tensor]:
        """The Fisher so far and what was measured."""
        return {**self._sums.tensors, "losses": self._losses, "scores": self._scores, "base": self._base}

    def result(self) -> ComputationResult:
        """`noise`: a row per shape and σ. An increase that is not finite is None, and `num_diverged` counts such draws."""
        rows = [
            self._row(kind, which, index) for which, kind in enumerate(NoiseKind) for index in range(len(self._question.sigmas))
        ]
        body = {
            "kind": "perturbation",
            "task": self._question.task,
            "num_examples": self._num_examples,
            "num_draws": self._question.num_draws,
            "loss": _finite(float(self._base[0])),
            "score": _finite(float(self._base[1])),
            "noise": rows,
        }
        names = {
            "mean_loss_increase": "loss_increase",
            "predicted_loss_increase": "predicted_loss_increase",
            "mean_score": "score",
        }
        curves = [
            CurvePoint(
                method=str(row["noise"]), name=name, step=self._question.sigmas.index(float(str(row["sigma"]))), value=value
            )
            for row in rows
            for key, name in names.items()
            if isinstance(value := row[key], float)
        ]
        return ComputationResult(body, curves)

    def _row(self, kind: NoiseKind, which: int, index: int) -> dict[str, object]:
        increases = self._losses[which, index] - self._base[0]
        finite = increases[increases.isfinite()]
        whole = len(finite) == len(increases)
        return {
            "noise": kind.value,
            "sigma": self._question.sigmas[index],
            "mean_loss_increase": _finite(float(increases.mean())),
            "standard_error": float(increases.std()) / len(increases) ** 0.5 if whole else None,
            "predicted_loss_increase": predicted_increase(self._fisher(), self._deviations(kind, index)),
            "mean_score": _finite(float(self._scores[which, index].mean())),
            "num_diverged": len(increases) - len(finite),
        }

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
        """Mean loss and score on the test split at the parameters as they are."""
        data, view = self._data, self._opened.view(self._question.task)
        num_examples, total = data.num_examples("test"), 0.0
        with torch.no_grad():
            for start in range(0, num_examples, _CHUNK):
                inputs, targets = data.read_range("test", start, min(start + _CHUNK, num_examples))
                outputs = view.outputs(self._opened.network(inputs))
                total += len(inputs) * float(mean_loss(data.likelihood, outputs, view.targets(targets)))
        return total / num_examples, score(self._opened.network, data, view, split="test")


def _finite(value: float) -> float | None:
    return value if -torch.inf < value < torch.inf else None
