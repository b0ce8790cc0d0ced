"""How fast an agent plays and learns Breakout, against stable-baselines3's DQN, and what EWC and task recognition add.

    python -m benchmarks agent_speed

Two threads; one update on a minibatch of 32 for every 4 agent steps (16 frames); the network of Mnih et al. 2015 with 18
actions; 5 % random actions; all play on the emulator's own vectorised environment. Ours is a Double DQN with gains and
centred RMSProp in 16 environments at once. Stable-baselines3 has plain DQN, which runs one network less per update, and
Adam; it plays in one environment, as its documentation has it, and in 16, with 4 updates after each of their steps.
`one_by_one` is the loop of CleanRL (one environment, step, store, update every fourth step) around our own learner and
replay. All take turns, block by block, in one run; figures are medians over blocks, ratios medians of ratios to the block
beside it.

What EWC adds is measured on updates: without a penalty and with five constraints merged, in turns. What recognition adds
is measured on one step in 16 environments, beside the time of the whole step.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import TrainFreq, TrainFrequencyUnit
from stable_baselines3.common.vec_env import VecEnv

from benchmarks.penalty_step import take_turns
from ewc_core.consolidation import Constraint, merge
from ewc_core.fisher import FisherInfo
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.reinforcement.frame_stack import FrameStack
from ewc_core.reinforcement.games import frames_of
from ewc_core.reinforcement.player import Player
from ewc_core.seeding import generator
from ewc_core.specs import ReinforcementSpec

NUM_THREADS, NUM_ENVS, HISTORY, ACTION_REPEAT, REPLAY_PERIOD = 2, 16, 4, 4, 4
NUM_CONSTRAINTS = 5
STEPS_PER_BLOCK = 64
CAPACITY, WARM_UP_STEPS = 5_000, 640


def make_spec(num_envs: int, *, inference: str = "oracle") -> ReinforcementSpec:
    """The job that is played."""
    return ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "dqn", "size": "standard"},
            "agent": {
                "preset": "paper",
                "num_envs": num_envs,
                "replay_capacity": CAPACITY,
                "min_history": WARM_UP_STEPS // 2,
                "exploration": {"initial": 0.05, "final": 0.05, "start_steps": 0, "end_steps": 1},
            },
            "method": {"kind": "ewc", "ewc_lambda": 12.5},
            "task_inference": {"kind": inference},
            "tasks": [{"kind": "atari", "game": "breakout"}],
            "schedule": {"kind": "rounds", "num_steps": 1_000_000},
        }
    )


class OurPlay:
    """Our player, step after step."""

    def __init__(self, num_envs: int, *, inference: str = "oracle") -> None:
        spec = make_spec(num_envs, inference=inference)
        self.player = Player(spec, "ewc", frames=frames_of(spec.tasks), max_replay_bytes=2**32, folder=None)
        self.player.enter(make_environments(spec.tasks[0], num_envs=num_envs, seed=0))
        self._num_envs = num_envs

    def play(self, num_steps: int) -> None:
        """So many agent steps, over all copies, with the updates that are due."""
        for _ in range(num_steps // self._num_envs):
            for _happened in self.player.tick(0, visit_index=0):
                pass


class EmulatorVecEnv(VecEnv):
    """Our group of environments, with frames stacked, as stable-baselines3 wants it."""

    def __init__(self, group: EnvironmentGroup) -> None:
        super().__init__(
            group.num_envs, spaces.Box(0, 255, (HISTORY, *group.frame_shape), np.uint8), spaces.Discrete(group.num_actions)
        )
        self._group = group
        self._stack = FrameStack(group.num_envs, group.frame_shape, group.frame_dtype, history=HISTORY)
        self._actions: NDArray[np.int64] = np.zeros(group.num_envs, dtype=np.int64)

    def reset(self) -> NDArray[np.uint8]:
        """First stacks."""
        self._stack.reset(self._group.reset())
        return self._stack.stacked.copy()

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Take them. The loss of a life counts as an end to the learner, as its Atari wrapper has it."""
        step = self._group.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = step.over | step.terminated
        for copy in np.flatnonzero(done):
            last = np.concatenate([self._stack.stacked[copy, 1:], step.final_frames[copy][None]])
            infos[copy] = {"terminal_observation": last, "TimeLimit.truncated": not step.terminated[copy]}
        self._stack.push(step.frames, step.over)
        return self._stack.stacked.copy(), np.sign(step.rewards).astype(np.float32), done, infos

    def close(self) -> None:
        """Let go of the emulators."""
        self._group.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Environments have no attributes here."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing to set."""

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Environments have no methods here."""
        return [None] * self.num_envs

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """None is."""
        return [False] * self.num_envs


class _Silent(BaseCallback):
    def _on_step(self) -> bool:
        return True


class TheirPlay:
    """Stable-baselines3's DQN: its own rollouts and its own training, as its `learn` calls them."""

    def __init__(self, num_envs: int) -> None:
        spec = make_spec(num_envs)
        self._env = EmulatorVecEnv(make_environments(spec.tasks[0], num_envs=num_envs, seed=0))
        self._num_envs = num_envs
        self._model = DQN(
            "CnnPolicy",
            self._env,
            buffer_size=CAPACITY,
            learning_starts=0,
            batch_size=spec.agent.batch_size,
            exploration_initial_eps=0.05,
            exploration_final_eps=0.05,
            target_update_interval=spec.agent.target_update_period,
            device="cpu",
            seed=0,
        )
        _, self._callback = self._model._setup_learn(10**7, _Silent())
        self._per_rollout = max(1, REPLAY_PERIOD // num_envs)

    def play(self, num_steps: int) -> None:
        """So many agent steps with the updates that belong to them."""
        for _ in range(num_steps // (self._per_rollout * self._num_envs)):
            self._model.collect_rollouts(
                self._env,
                callback=self._callback,
                train_freq=TrainFreq(self._per_rollout, TrainFrequencyUnit.STEP),
                replay_buffer=self._model.replay_buffer,
                learning_starts=0,
            )
            self._model.train(gradient_steps=self._per_rollout * self._num_envs // REPLAY_PERIOD, batch_size=32)


def measure_play(num_rounds: int) -> dict[str, Any]:
    """Environment frames per second of every player, blocks in turns."""
    players: dict[str, OurPlay | TheirPlay] = {
        "ours": OurPlay(NUM_ENVS),
        "one_by_one": OurPlay(1),
        "stable_baselines3": TheirPlay(1),
        "stable_baselines3_16": TheirPlay(NUM_ENVS),
    }
    for player in players.values():
        player.play(WARM_UP_STEPS)
    blocks: Mapping[str, Callable[[], object]] = {
        name: lambda player=player: player.play(STEPS_PER_BLOCK)  # type: ignore[misc]  # a lambda with a default has no inferred type
        for name, player in players.items()
    }
    seconds = take_turns(blocks, num_rounds, num_warm_up=1)
    frames = STEPS_PER_BLOCK * ACTION_REPEAT
    return {
        name: {
            "frames_per_second": frames / statistics.median(times),
            "ratio_of_ours": statistics.median(other / own for own, other in zip(seconds["ours"], times, strict=True)),
        }
        for name, times in seconds.items()
    }


def measure_penalty(num_rounds: int) -> dict[str, float]:
    """Medians of one update without and with five constraints, in turns, and their ratio."""
    agents = {name: _filled().player.agent(0) for name in ("plain", "ewc")}
    learner = agents["ewc"].learner
    anchor = learner.parameters.named()
    learner.set_penalty(merge([_constraint(anchor, index) for index in range(NUM_CONSTRAINTS)], learner.parameters.layout))
    batch = agents["plain"].replays.by_label[0].sample(32, generator(0, "batch"))
    updates: Mapping[str, Callable[[], object]] = {
        name: lambda agent=agent: agent.learner.update(batch)  # type: ignore[misc]  # a lambda with a default has no inferred type
        for name, agent in agents.items()
    }
    seconds = take_turns(updates, num_rounds, num_warm_up=5)
    ratio = statistics.median(one / other for one, other in zip(seconds["ewc"], seconds["plain"], strict=True))
    return {
        "plain_ms": 1e3 * statistics.median(seconds["plain"]),
        "ewc_ms": 1e3 * statistics.median(seconds["ewc"]),
        "ratio": ratio,
    }


def measure_recognition(num_rounds: int) -> dict[str, float]:
    """Medians of looking at the frames of one step, and of the whole step, in turns, and the share of the former."""
    play = OurPlay(NUM_ENVS, inference="flat")
    play.play(WARM_UP_STEPS)
    agent = play.player.agent(0)
    frames = make_environments(make_spec(NUM_ENVS).tasks[0], num_envs=NUM_ENVS, seed=1).reset()
    steps: Mapping[str, Callable[[], object]] = {
        "look": lambda: agent.recognise(frames, announced=0),
        "step": lambda: play.play(NUM_ENVS),
    }
    seconds = take_turns(steps, num_rounds, num_warm_up=5)
    share = statistics.median(one / other for one, other in zip(seconds["look"], seconds["step"], strict=True))
    return {
        "look_ms": 1e3 * statistics.median(seconds["look"]),
        "step_ms": 1e3 * statistics.median(seconds["step"]),
        "share": share,
    }


def _filled() -> OurPlay:
    play = OurPlay(NUM_ENVS)
    play.play(WARM_UP_STEPS)
    return play


def _constraint(anchor: dict[str, torch.Tensor], index: int) -> Constraint:
    random = generator(1, "constraint", index)
    fisher = {name: torch.exp(2 * torch.randn(tensor.shape, generator=random) - 12) for name, tensor in anchor.items()}
    return Constraint(index, fisher, anchor, 12.5, FisherInfo("rademacher", "q", 3200, seed=index))


def run() -> dict[str, Any]:
    """Measure and print the tables."""
    torch.set_num_threads(NUM_THREADS)
    found = {"play": measure_play(12), "penalty": measure_penalty(60), "recognition": measure_recognition(60)}
    print(f"{'player':24}{'frames/s':>10}{'ours is faster by':>20}")
    for name, row in found["play"].items():
        print(f"{name:24}{row['frames_per_second']:10.0f}{row['ratio_of_ours']:20.2f}")
    penalty, recognition = found["penalty"], found["recognition"]
    print(f"update with {NUM_CONSTRAINTS} constraints / without: {penalty['ratio']:.3f} ({penalty['plain_ms']:.2f} ms without)")
    print(f"recognition's share of a step: {recognition['share']:.3f} (of {recognition['step_ms']:.2f} ms)")
    return found
