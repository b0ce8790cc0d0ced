"""What an analysis of an agent looks at: its Q-network, the games it plays, and what holds it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ewc_core.analysis.target import Sample
from ewc_core.reinforcement.analysed_agent import AnalysedAgent
from ewc_core.reinforcement.damage import GameDamage
from ewc_core.reinforcement.visited_states import NUM_STATES, visited_states
from ewc_core.specs import LikelihoodName, PerturbationAnalysis


class GameTarget(AnalysedAgent):
    """A `Target`. Noise and Fishers are about the weights that all tasks share.

    A sample is of states that the agent meets when it plays; its Fisher is that of N(Q, 1).
    """

    left_out = "biases and gains: every task has its own"

    @property
    def stored_fishers(self) -> Mapping[int, Mapping[str, Tensor]]:
        """The constraints' own, by task: of replay, at the weights with which each game was left."""
        return {constraint.task_index: constraint.fisher for constraint in self.subject.constraints}

    def sample(self, task: int, wanted: int | None, *, seed: int, path: tuple[str | int, ...] = ()) -> Sample:
        """States met, 1000 where `wanted` is None, and at least 2; see `Target.sample`."""
        num_states = max(2, wanted or NUM_STATES)
        return self._sample_of(task, torch.cat(visited_states(self, task, num_states=num_states, seed=seed)))

    def halves(self, task: int, wanted: int | None, *, seed: int, which: str) -> tuple[Sample, Sample]:
        """Those of other episodes in each half; see `Target.halves`."""
        first, second = visited_states(self, task, num_states=wanted or NUM_STATES, seed=seed)
        return self._sample_of(task, first), self._sample_of(task, second)

    def damage(self, question: PerturbationAnalysis, sample: Sample, *, seed: int) -> GameDamage:
        """The change of Q-values on the sample, and returns."""
        return GameDamage(question, self, sample, seed=seed)

    def _sample_of(self, task: int, states: Tensor) -> Sample:
        """There are no targets: the Fisher's labels are the network's own."""

        def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
            return states[start:stop], torch.empty(len(states[start:stop]))

        return Sample(task, len(states), len(states), self.frames.num_actions, LikelihoodName.GAUSSIAN, read)
