"""What a network of a job survives: noise of three shapes against the damage that the Fisher predicts."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import FisherSums, blocks_of
from ewc_core.analysis.perturbation import NoiseKind, draw_noise, noise_deviations, null_cut, predicted_increase
from ewc_core.analysis.perturbation_findings import SCALE, Row, noise_curves, noise_row, null_space
from ewc_core.analysis.target import Target
from ewc_core.seeding import generator
from ewc_core.specs import PerturbationAnalysis
from ewc_core.training.units import Findings


class PerturbationRun:
    """First the Fisher (a unit is a block of examples), then what the target measures without noise, then the noise (a unit
    is one draw at one σ, in all three shapes), then what the target measures under noise of its own. The shapes and σs of a
    draw share their normals, so that they differ by nothing else.

    The noise is on the shared parameters alone; mean variance and Fisher are theirs.
    """

    def __init__(self, question: PerturbationAnalysis, seed: int, target: Target) -> None:
        self._question, self._seed, self._target = question, seed, target
        target.select(question.task, field="question.task")
        self._sample = target.sample(question.task, question.num_examples, seed=seed)
        self._damage = target.damage(question, self._sample, seed=seed)
        self._blocks = blocks_of("fisher", self._sample)
        self._sums = FisherSums(target.network, target.parameters.layout, ["fisher"])
        self._num_draws = question.num_draws * len(question.sigmas)
        self._losses = torch.zeros(len(NoiseKind), len(question.sigmas), question.num_draws, dtype=torch.float64)
        self._noise_made_from: Tensor | None = None
        self._units_of_noise: dict[NoiseKind, Tensor] = {}
        self.num_steps = len(self._blocks) + self._damage.num_before + self._num_draws + self._damage.num_after

    def do(self, step: int) -> None:
        """One block, one draw at one σ, or one unit of the target's."""
        unit = step - len(self._blocks)
        draw = unit - self._damage.num_before
        if unit < 0:
            self._sums.add(self._blocks[step])
        elif draw < 0:
            self._damage.before(unit)
        elif draw < self._num_draws:
            self._perturb(*divmod(draw, len(self._question.sigmas)))
        else:
            self._damage.after(draw - self._num_draws, self._deviations)

    def tensors(self) -> dict[str, Tensor]:
        """The Fisher so far and what was measured."""
        return {**self._sums.tensors, "losses": self._losses, **self._damage.tensors}

    def findings(self) -> Findings:
        """`noise`: a row per shape and σ. An increase that is not finite is None, and `num_diverged` counts such draws."""
        question = self._question
        rows = [self._row(kind, which, index) for which, kind in enumerate(NoiseKind) for index in range(len(question.sigmas))]
        null = self._deviations(NoiseKind.NULL, 1.0)[self._target.shared]
        body = {
            "kind": "perturbation",
            "task": question.task,
            "num_examples": self._sample.size,
            "num_draws": question.num_draws,
            **self._damage.body(),
            "scale": SCALE,
            "ridge": question.ridge,
            "null_space": null_space(null_cut(self._fisher(), question.null_quantile), null, quantile=question.null_quantile),
            "noise": rows,
        }
        return Findings(body, noise_curves(rows, question.sigmas, self._damage.curves))

    def _row(self, kind: NoiseKind, which: int, index: int) -> Row:
        sigma = self._question.sigmas[index]
        predicted = predicted_increase(self._fisher(), self._deviations(kind, sigma)[self._target.shared])
        increases = self._losses[which, index] - self._damage.base_loss
        return {**noise_row(kind, sigma, increases, predicted=predicted), **self._damage.row(which, index)}

    def _fisher(self) -> Tensor:
        """Of the shared parameters."""
        return self._sums.tensors["fisher"][self._target.shared] / self._sample.size

    def _deviations(self, kind: NoiseKind, sigma: float) -> Tensor:
        """Of all parameters; 0 for those that are not shared."""
        fisher = self._fisher()
        if self._noise_made_from is None or not torch.equal(self._noise_made_from, fisher):
            self._noise_made_from, self._units_of_noise = fisher, {}
        if kind not in self._units_of_noise:
            question = self._question
            unit = torch.zeros(len(self._target.shared), dtype=torch.float64)
            unit[self._target.shared] = noise_deviations(
                kind, fisher, sigma=1.0, ridge=question.ridge, null_quantile=question.null_quantile
            )
            self._units_of_noise[kind] = unit
        return sigma * self._units_of_noise[kind]

    def _perturb(self, draw: int, index: int) -> None:
        values = self._target.parameters.values
        anchor = values.clone()
        try:
            for which, kind in enumerate(NoiseKind):
                deviations = self._deviations(kind, self._question.sigmas[index])
                values.copy_(anchor.double() + draw_noise(deviations, generator(self._seed, "noise", draw)))
                self._losses[which, index, draw] = self._damage.loss(which, index, draw)
        finally:
            values.copy_(anchor)
