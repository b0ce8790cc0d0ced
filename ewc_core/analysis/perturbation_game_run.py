"""What an agent survives in one of its games: its score and the change of its Q-values under noise of three shapes."""

from __future__ import annotations

import torch
from torch import Tensor

from ewc_core.analysis.fisher_blocks import FisherSums, blocks_of
from ewc_core.analysis.game_subject import OpenedGames
from ewc_core.analysis.perturbation import NoiseKind, draw_noise, noise_deviations, null_cut, predicted_increase
from ewc_core.analysis.perturbation_findings import SCALE, Row, noise_curves, noise_row, null_space
from ewc_core.analysis.perturbation_game import change_of_values, noisy_return, values_of
from ewc_core.analysis.visited_states import NUM_STATES, reader, visited_states
from ewc_core.fisher.memory import examples_at_once
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.games import score_of
from ewc_core.seeding import derive_seed, generator
from ewc_core.specs import LikelihoodName, PerturbationAnalysis
from ewc_core.training.units import Findings

MOST_STATES = 512


class GamePerturbationRun:
    """First the Fisher of N(Q, 1), exact over actions, on states that the agent meets (a unit is a block of them). Then the
    change of the Q-values on the same states (a unit is one draw at one σ, in all three shapes), which the Fisher predicts.
    Then the score (a unit is one episode at one σ, in all shapes, or without noise). Shapes and σs share their normals, the
    beginnings of episodes, and the draws of exploration.

    The noise is on the shared weights alone; mean variance and Fisher are theirs.
    """

    def __init__(self, question: PerturbationAnalysis, seed: int, opened: OpenedGames) -> None:
        self._question, self._seed, self._opened = question, seed, opened
        opened.select(question.task, field="question.task")
        num_states = max(2, question.num_examples or NUM_STATES)
        self._states = torch.cat(visited_states(opened, question.task, num_states=num_states, seed=seed))
        self._at_once = examples_at_once(opened.network, self._states[:3], most=MOST_STATES)
        self._reference = values_of(opened.q_values, self._states, self._at_once)
        self._blocks = blocks_of("fisher", question.task, torch.arange(len(self._states)))
        self._sums = FisherSums(opened.network, opened.parameters.layout, ["fisher"])
        shapes, sizes = len(NoiseKind), len(question.sigmas)
        self._losses = torch.zeros(shapes, sizes, question.num_draws, dtype=torch.float64)
        self._returns = torch.zeros(shapes, sizes, question.num_episodes, dtype=torch.float64)
        self._base = torch.zeros(question.num_episodes, dtype=torch.float64)
        self._noise_made_from: Tensor | None = None
        self._units_of_noise: dict[NoiseKind, Tensor] = {}
        self.num_steps = len(self._blocks) + sizes * question.num_draws + (1 + sizes) * question.num_episodes

    def do(self, step: int) -> None:
        """One block, one draw at one σ, or one episode at one σ or without noise."""
        num_sizes = len(self._question.sigmas)
        num_changes = num_sizes * self._question.num_draws
        after = step - len(self._blocks)
        if after < 0:
            block = self._blocks[step]
            self._sums.add(block, reader(self._states, block.indices), likelihood=LikelihoodName.GAUSSIAN)
        elif after < num_changes:
            self._change(*divmod(after, num_sizes))
        else:
            episode, index = divmod(after - num_changes, 1 + num_sizes)
            self._play(episode, index - 1)

    def tensors(self) -> dict[str, Tensor]:
        """The Fisher so far and what was measured."""
        return {**self._sums.tensors, "losses": self._losses, "returns": self._returns, "base": self._base}

    def findings(self) -> Findings:
        """`noise`: a row per shape and σ, with the mean return beside what a `PerturbationRun` gives. `score` and
        `mean_score` are returns on the scale of the game's reference, None where it has none."""
        question, evaluation = self._question, self._opened.spec.evaluation
        rows = [self._row(kind, which, index) for which, kind in enumerate(NoiseKind) for index in range(len(question.sigmas))]
        null = self._deviations(NoiseKind.NULL, 1.0)[self._opened.shared]
        body = {
            "kind": "perturbation",
            "task": question.task,
            "num_examples": len(self._states),
            "num_draws": question.num_draws,
            "num_episodes": question.num_episodes,
            "exploration_epsilon": evaluation.exploration_epsilons[0],
            "loss": 0.0,
            "score": self._score(float(self._base.mean())),
            "return": float(self._base.mean()),
            "return_standard_error": _standard_error(self._base),
            "scale": SCALE,
            "ridge": question.ridge,
            "null_space": null_space(null_cut(self._fisher(), question.null_quantile), null, quantile=question.null_quantile),
            "noise": rows,
        }
        return Findings(body, noise_curves(rows, question.sigmas, {"mean_return": "return"}))

    def _row(self, kind: NoiseKind, which: int, index: int) -> Row:
        sigma, returns = self._question.sigmas[index], self._returns[which, index]
        predicted = predicted_increase(self._fisher(), self._deviations(kind, sigma)[self._opened.shared])
        score = self._score(float(returns.mean()))
        return {
            **noise_row(kind, sigma, self._losses[which, index], predicted=predicted, mean_score=score),
            "mean_return": float(returns.mean()),
            "return_standard_error": _standard_error(returns),
        }

    def _score(self, mean_return: float) -> float | None:
        task = self._opened.tasks[self._question.task]
        return None if task.reference_scores is None else score_of(task, mean_return)

    def _fisher(self) -> Tensor:
        """Of the shared weights."""
        return self._sums.tensors["fisher"][self._opened.shared] / len(self._states)

    def _deviations(self, kind: NoiseKind, sigma: float) -> Tensor:
        """Of all parameters; 0 for biases and gains."""
        fisher = self._fisher()
        if self._noise_made_from is None or not torch.equal(self._noise_made_from, fisher):
            self._noise_made_from, self._units_of_noise = fisher, {}
        if kind not in self._units_of_noise:
            question = self._question
            unit = torch.zeros(len(self._opened.shared), dtype=torch.float64)
            unit[self._opened.shared] = noise_deviations(
                kind, fisher, sigma=1.0, ridge=question.ridge, null_quantile=question.null_quantile
            )
            self._units_of_noise[kind] = unit
        return sigma * self._units_of_noise[kind]

    def _change(self, draw: int, index: int) -> None:
        values = self._opened.parameters.values
        anchor = values.clone()
        try:
            for which, kind in enumerate(NoiseKind):
                deviations = self._deviations(kind, self._question.sigmas[index])
                values.copy_(anchor.double() + draw_noise(deviations, generator(self._seed, "noise", draw)))
                self._losses[which, index, draw] = change_of_values(
                    self._opened.q_values, self._states, self._reference, self._at_once
                )
        finally:
            values.copy_(anchor)

    def _play(self, episode: int, index: int) -> None:
        """One episode at σ number `index`, −1 for none."""
        if index < 0:
            self._base[episode] = self._return(episode, torch.zeros(len(self._opened.shared), dtype=torch.float64))
            return
        for which, kind in enumerate(NoiseKind):
            self._returns[which, index, episode] = self._return(episode, self._deviations(kind, self._question.sigmas[index]))

    def _return(self, episode: int, deviations: Tensor) -> float:
        evaluation = self._opened.spec.evaluation
        seed = derive_seed(self._seed, "perturbed-episode", self._question.task, episode)
        with held(self._opened.environments(self._question.task, num_envs=1, seed=seed)) as game:
            return noisy_return(
                game,
                self._opened.q_values,
                self._opened.parameters,
                deviations,
                history=self._opened.history,
                exploration_epsilon=evaluation.exploration_epsilons[0],
                max_steps=evaluation.max_steps,
                noise=generator(seed, "noise"),
                actions=generator(seed, "actions"),
            )


def _standard_error(returns: Tensor) -> float | None:
    return float(returns.std()) / len(returns) ** 0.5 if len(returns) > 1 else None
