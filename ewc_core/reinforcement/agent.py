"""One agent: it acts, remembers, learns, finds out which task it plays, and holds on to those it played before."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.consolidation import Constraint, ConstraintBook, Merging
from ewc_core.errors import StateFormatError
from ewc_core.fisher.info import FisherInfo
from ewc_core.reinforcement.control_fishers import flattened, shuffled
from ewc_core.reinforcement.environments.group import EnvironmentStep
from ewc_core.reinforcement.exploration import choose_actions, exploration_epsilon
from ewc_core.reinforcement.fisher import q_fisher_info, q_fisher_steps
from ewc_core.reinforcement.learner import QLearner
from ewc_core.reinforcement.pending import PendingTransitions
from ewc_core.reinforcement.replays import Replays
from ewc_core.seeding import derive_seed, generator
from ewc_core.specs.method import NaiveMethod, PenaltyStep
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.specs.task_inference import OracleInference, TaskInferenceSpec
from ewc_core.task_inference import Quantiser, TaskRecogniser, make_recogniser
from ewc_core.training.named_state import Rest, add_prefix

FisherSteps = Generator[tuple[int, int], None, None]
_LEARNER, _RECOGNISER, _CONSTRAINTS, _REPLAYS, _PENDING = "learner.", "recogniser.", "constraints.", "replays.", "pending."
_RANDOM, _COUNTS, _STEPS = "random", "counts", "steps_by_label"
TOLD = ("oracle", "independent")
"""Kinds of agents that are told the task they play, whatever `task_inference` says."""


@dataclass(frozen=True)
class Frames:
    """What all tasks of a job look like: one frame, the number of actions, and emulator frames per agent step."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.uint8] | np.dtype[np.float32]
    num_actions: int
    action_repeat: int
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Belief:
    """The agent has come to believe that it plays `label`, no longer `previous`."""

    label: int
    previous: int
    posterior: float
    is_new: bool


class Agent:
    """A Double DQN with replay, exploration, biases and gains of its own for every task that it recognises.

    `kind` says how it is kept from forgetting: `ewc`, `l2`, `shuffled_fisher`, `oracle` (EWC, told the task), `naive` or
    `independent` (no penalty, told the task). Labels are its own: 0, 1, 2, ... in the order of discovery; to an agent that
    is told, the task's index.
    """

    def __init__(
        self, spec: ReinforcementSpec, kind: str, *, frames: Frames, max_replay_bytes: int, folder: Path | None, part: int = 0
    ) -> None:
        """`part` tells the agents of one kind apart (independent ones, by task); they start from different weights.

        Raises:
            SpecError: the replay of a single task does not fit into `max_replay_bytes`.
        """
        self.kind, self._spec, self._frames = kind, spec, frames
        self._constrained = None if isinstance(spec.method, NaiveMethod) or kind in ("naive", "independent") else spec.method
        self.learner = QLearner(
            spec,
            input_shape=(spec.agent.history, *frames.shape),
            num_actions=frames.num_actions,
            penalty_step=PenaltyStep.PROXIMAL if self._constrained is None else self._constrained.penalty_step,
            seed=spec.seed if part == 0 else derive_seed(spec.seed, "part", part),
        )
        self.replays = Replays(
            spec.agent, frame_shape=frames.shape, frame_dtype=frames.dtype, max_bytes=max_replay_bytes, folder=folder
        )
        self.consolidated = ConstraintBook(Merging.SEPARATE)
        self.label = 0
        self.num_steps: dict[int, int] = {}
        self.evicted: int | None = None
        """The label whose replay gave way to that of the task switched to last, if one did."""
        self._steps_to_learn, self._num_observed, self._num_settled = 0, 0, 0
        self._pending = PendingTransitions()
        self._random = generator(spec.seed, "agent", part)
        self._inference: TaskInferenceSpec = OracleInference() if kind in TOLD else spec.task_inference
        self._quantiser: Quantiser | None = None
        num_symbols, num_levels = 1, 2
        if not isinstance(self._inference, OracleInference):
            self._quantiser = Quantiser(
                frames.shape,
                frames.dtype,
                num_levels=self._inference.num_levels,
                downscale=self._inference.downscale,
                low=frames.low,
                high=frames.high,
            )
            num_symbols, num_levels = self._quantiser.num_symbols, self._inference.num_levels
        self.recogniser: TaskRecogniser = make_recogniser(
            self._inference, num_symbols=num_symbols, num_levels=num_levels, seed=derive_seed(spec.seed, "recogniser")
        )

    @property
    def is_told(self) -> bool:
        """Whether the agent is told which task it plays."""
        return self._quantiser is None

    @property
    def exploration_epsilon(self) -> float:
        """The probability of a random action now: every task has its own timer. An agent in doubt acts at random: with the
        policy of the wrong task it may stand where it never stood, and a task that it knows would look new."""
        if self.recogniser.is_in_doubt:
            return 1.0
        return exploration_epsilon(self._spec.agent.exploration, self.num_steps.get(self.label, 0))

    @property
    def _min_transitions(self) -> int:
        """With how many a task is learned. A full replay has no next frame yet for the newest entry of every copy."""
        return min(self._spec.agent.min_history, self._spec.agent.replay_capacity - self._spec.agent.num_envs)

    def act(self, states: Tensor) -> NDArray[np.int64]:
        """One action per copy of the environment, epsilon-greedy, for stacks [n, *input_shape]."""
        return choose_actions(self.learner.q_values(states), self.exploration_epsilon, self._random)

    def recognise(self, frames: NDArray[np.generic], *, announced: int) -> Belief | None:
        """Look at the frames [n, ...] that are about to be acted on; the new belief, if it changes.

        `announced` is the index of the task; only an agent that is told takes notice of it. What was done before is stored
        once the evidence has settled which task it belongs to.
        """
        label: int | None = None
        if self._quantiser is None or isinstance(self._inference, OracleInference):
            label = self.recogniser.step(np.zeros(1, dtype=np.uint8), announced=announced)
        else:
            for copy in range(len(frames)):
                if self._num_observed % self._inference.update_every == 0:
                    label = self.recogniser.step(self._quantiser(frames[copy]), announced=announced)
                self._num_observed += 1
        if label is None or label == self.label:
            self._store_if_settled()
            return None
        return Belief(label, self.label, self.recogniser.posterior, is_new=label not in self.num_steps)

    def switch(self, belief: Belief, *, visit_index: int) -> FisherSteps:
        """Act on a changed belief: consolidate the task that is left, then play the new one with all others held.

        Yields (examples done, examples) while a Fisher is estimated.
        """
        yield from self.consolidate(visit_index=visit_index)
        self.label = belief.label
        self.learner.select(belief.label)
        self.tie()
        if belief.label in self.replays.by_label:
            self.replays.by_label[belief.label].cut()
        self._store_if_settled()

    def cut(self) -> None:
        """The game goes on elsewhere: what was remembered last has no successor."""
        self._pending.cut()

    def tie(self) -> None:
        """Hold the network to everything consolidated but the task being played."""
        if self._constrained is not None:
            self.learner.set_penalty(self.consolidated.penalty(self.learner.parameters.layout, visiting=self.label))

    def weigh(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these labels count so often, and the others once."""
        changed = {label: weight for label, weight in weights.items() if weight != 1.0}
        # To tie anew what is tied already would not be the same bits: the optimiser's weight of the proximal step is made anew.
        if changed != self.consolidated.weights:
            self.consolidated.weights = changed
            self.tie()

    def consolidate(self, *, visit_index: int) -> FisherSteps:
        """Estimate the Fisher of the task being played from its replay, and tie the task to the present weights from its
        end on. Nothing happens without a penalty, or when the task was played for less than `ewc_start_frames` frames, or too
        little to learn from.

        Yields (examples done, examples).
        """
        method, replay = self._constrained, self.replays.by_label.get(self.label)
        num_frames = self.num_steps.get(self.label, 0) * self._frames.action_repeat
        if method is None or replay is None or num_frames < method.ewc_start_frames:
            return
        if replay.num_transitions < self._min_transitions:
            return
        seed = derive_seed(self._spec.seed, "fisher", visit_index, self.label)
        fisher = yield from q_fisher_steps(self.learner.network, replay, method.fisher, agent=self._spec.agent, seed=seed)
        shared = self.learner.tasks.shared_names
        if self.kind == "l2":
            fisher = flattened(fisher, shared)
        elif self.kind == "shuffled_fisher":
            fisher = shuffled(fisher, shared, seed=seed)
        anchor = self.learner.parameters.named()
        info = self._info(num_examples=method.fisher.num_minibatches * self._spec.agent.batch_size, seed=seed)
        constraint = Constraint(self.label, fisher, anchor, method.ewc_lambda, info)
        self.consolidated.put(constraint, visit_index=visit_index)

    def remember(self, frames: NDArray[np.generic], actions: NDArray[np.int64], step: EnvironmentStep) -> None:
        """Remember what was done in `frames` and what came of it: at once where the agent is told its task, else when it is
        known to which task it belongs."""
        clip = self._spec.agent.reward_clip
        rewards = step.rewards if clip is None else np.clip(step.rewards, -clip, clip)
        self._pending.add(frames, actions, rewards, step)
        self._steps_to_learn += len(frames)
        if self.is_told:
            self._store()

    def learn(self) -> list[float]:
        """The updates that are due after what was remembered; their TD losses.

        Raises:
            NonFiniteError: a loss is NaN or infinite.
        """
        agent, replay = self._spec.agent, self.replays.by_label.get(self.label)
        losses = []
        while self._steps_to_learn >= agent.replay_period:
            self._steps_to_learn -= agent.replay_period
            if replay is not None and replay.num_transitions >= self._min_transitions:
                losses.append(self.learner.update(replay.sample(agent.batch_size, self._random)))
            self.learner.count_steps(agent.replay_period)
        return losses

    def identify(self, frames: Sequence[NDArray[np.generic]], *, announced: int) -> int:
        """Which task these frames belong to, without learning from them; the task played last when none is known."""
        if self._quantiser is None:
            return announced
        label = self.recogniser.identify([self._quantiser(frame) for frame in frames])
        return self.label if label is None else label

    def capture(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, besides the spec and the replay's files."""
        steps = torch.tensor(sorted(self.num_steps.items()), dtype=torch.int64).reshape(-1, 2)
        layout = self.learner.parameters.layout
        return {
            _RANDOM: self._random.get_state(),
            _COUNTS: torch.tensor([self.label, self._steps_to_learn, self._num_observed, self._num_settled], dtype=torch.int64),
            _STEPS: steps,
            **add_prefix(_LEARNER, self.learner.state()),
            **add_prefix(_RECOGNISER, self.recogniser.state()),
            **add_prefix(_CONSTRAINTS, self.consolidated.state(layout)),
            **add_prefix(_REPLAYS, self.replays.cursors()),
            **add_prefix(_PENDING, self._pending.state()),
        }

    def restore(self, state: Mapping[str, Tensor], *, source: Path | None) -> None:
        """Go on from what `capture` gave; `source` is the folder where the replay's files were then.

        Raises:
            StateFormatError: parts are missing, unknown or damaged.
            ParameterMismatch: the parameters do not fit the network.
        """
        rest = Rest(state)
        if not {_RANDOM, _COUNTS, _STEPS} <= set(rest):
            raise StateFormatError(f"agent state holds {sorted(rest)}, expected {_RANDOM!r}, {_COUNTS!r} and {_STEPS!r} in it")
        self._random.set_state(rest.pop(_RANDOM))
        counts = [int(value) for value in rest.pop(_COUNTS)]
        self.label, self._steps_to_learn, self._num_observed, self._num_settled = counts
        self.num_steps = {int(label): int(steps) for label, steps in rest.pop(_STEPS).tolist()}
        parts = {prefix: rest.taken(prefix) for prefix in (_LEARNER, _RECOGNISER, _CONSTRAINTS, _REPLAYS, _PENDING)}
        if rest:
            raise StateFormatError(f"agent state holds unknown tensors {sorted(rest)}")
        layout = self.learner.parameters.layout
        like = Constraint(0, {}, {}, 0.0 if self._constrained is None else self._constrained.ewc_lambda, self._info(0, 0))
        self.consolidated.load_state(parts[_CONSTRAINTS], layout, like)
        self.learner.select(self.label)
        self.tie()
        self.learner.load_state(parts[_LEARNER])
        self.recogniser.load_state(parts[_RECOGNISER])
        self.replays.reopen(parts[_REPLAYS], source=source)
        self._pending.load_state(parts[_PENDING])

    def _store_if_settled(self) -> None:
        """Store what was done, once it is known to which task it belongs; or when it is more than may wait."""
        is_settled = self.recogniser.num_settled != self._num_settled
        if len(self._pending) > 0 and (is_settled or self._pending.num_entries >= self.replays.max_burst):
            self._store()

    def _store(self) -> None:
        self._num_settled = self.recogniser.num_settled
        replay, self.evicted = self.replays.of(self.label, num_steps=self.num_steps)
        self.num_steps[self.label] = self.num_steps.get(self.label, 0) + self._pending.move_to(replay)

    def _info(self, num_examples: int, seed: int) -> FisherInfo:
        method = self._constrained
        return FisherInfo("none", "none", 0, None) if method is None else q_fisher_info(method.fisher, num_examples, seed)
