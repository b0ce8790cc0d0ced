"""What noise on an agent does to one of its games."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.analysis.perturbation import NoiseKind
from ewc_core.analysis.perturbation_findings import Row, finite_or_none
from ewc_core.analysis.target import Deviations, Sample
from ewc_core.fisher.memory import examples_at_once
from ewc_core.reinforcement.analysed_agent import AnalysedAgent
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.games import score_of
from ewc_core.reinforcement.noisy_play import change_of_values, noisy_return, values_of
from ewc_core.seeding import derive_seed, generator
from ewc_core.specs import PerturbationAnalysis

MOST_STATES = 512


class GameDamage:
    """A `Damage`: under every draw the change of the Q-values on the states of the sample, which the Fisher predicts; then the
    returns of whole episodes (a unit is one episode at one σ, in all shapes, or without noise) with another draw at every step.
    Shapes and σs share their normals, the beginnings of episodes, and the draws of exploration.

    `score` and `mean_score` are returns on the scale of the game's reference, None where it has none.
    """

    num_before = 0
    base_loss = 0.0
    curves: Mapping[str, str] = {"mean_return": "return"}

    def __init__(self, question: PerturbationAnalysis, agent: AnalysedAgent, sample: Sample, *, seed: int) -> None:
        self._question, self._agent, self._seed = question, agent, seed
        self._states = sample.read(0, sample.size)[0]
        self._at_once = examples_at_once(agent.network, self._states[:3], most=MOST_STATES)
        self._reference = values_of(agent.q_values, self._states, self._at_once)
        num_sigmas, num_episodes = len(question.sigmas), question.num_episodes
        self._returns = torch.zeros(len(NoiseKind), num_sigmas, num_episodes, dtype=torch.float64)
        self._base = torch.zeros(num_episodes, dtype=torch.float64)
        self.tensors = {"returns": self._returns, "base": self._base}
        self.num_after = (1 + num_sigmas) * num_episodes

    def before(self, step: int) -> None:
        """Nothing: without noise the Q-values do not change."""

    def loss(self, which: int, index: int, draw: int) -> float:
        """½ Σ_a (change of Q)², mean over the states."""
        return change_of_values(self._agent.q_values, self._states, self._reference, self._at_once)

    def after(self, step: int, deviations: Deviations) -> None:
        """One episode, at one σ or without noise."""
        episode, number = divmod(step, 1 + len(self._question.sigmas))
        if number == 0:
            self._base[episode] = self._return(episode, torch.zeros(len(self._agent.shared), dtype=torch.float64))
            return
        sigma = self._question.sigmas[number - 1]
        for which, kind in enumerate(NoiseKind):
            self._returns[which, number - 1, episode] = self._return(episode, deviations(kind, sigma))

    def row(self, which: int, index: int) -> Row:
        """Mean return and score over episodes."""
        returns = self._returns[which, index]
        score = self._score(float(returns.mean()))
        return {
            "mean_score": None if score is None else finite_or_none(score),
            "mean_return": float(returns.mean()),
            "return_standard_error": _standard_error(returns),
        }

    def body(self) -> Row:
        """The same without noise, and how the game is played."""
        mean = float(self._base.mean())
        return {
            "num_episodes": self._question.num_episodes,
            "exploration_epsilon": self._agent.evaluation.exploration_epsilons[0],
            "loss": 0.0,
            "score": self._score(mean),
            "return": mean,
            "return_standard_error": _standard_error(self._base),
        }

    def _score(self, mean_return: float) -> float | None:
        task = self._agent.tasks[self._question.task]
        return None if task.reference_scores is None else score_of(task, mean_return)

    def _return(self, episode: int, deviations: Tensor) -> float:
        evaluation = self._agent.evaluation
        seed = derive_seed(self._seed, "perturbed-episode", self._question.task, episode)
        with held(self._agent.environments(self._question.task, num_envs=1, seed=seed)) as game:
            return noisy_return(
                game,
                self._agent.q_values,
                self._agent.parameters,
                deviations,
                history=self._agent.history,
                exploration_epsilon=evaluation.exploration_epsilons[0],
                max_steps=evaluation.max_steps,
                noise=generator(seed, "noise"),
                actions=generator(seed, "actions"),
            )


def _standard_error(returns: Tensor) -> float | None:
    return float(returns.std()) / len(returns) ** 0.5 if len(returns) > 1 else None
