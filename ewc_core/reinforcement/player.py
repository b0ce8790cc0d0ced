"""An agent at play: the agents of one kind, and the copies of the environment that they play in now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import EnvironmentFailed, SpecError, StateFormatError
from ewc_core.reinforcement.agent import Agent, Belief, Frames
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.letting_go import let_go
from ewc_core.reinforcement.frame_stack import FrameStack
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.named_state import Rest, add_prefix

_ENVIRONMENT, _STACK, _AGENT, _RETURNS, _CONTENT = "environment.", "stack.", "agent.", "returns", "label_content"
_FINISHED, _LOSSES = "finished_returns", "losses"
Switches = Generator[tuple[int, int] | Belief, None, None]


class Player:
    """Plays visit after visit as one kind of agent: a single agent, or, for `independent`, one per task.

    `label_content[label, task]` counts the steps that were played of a task while the agent believed in a label: the truth
    behind its labels, which the agent itself never sees.
    """

    def __init__(self, spec: ReinforcementSpec, kind: str, *, frames: Frames, max_replay_bytes: int, folder: Path | None) -> None:
        self.kind, self._spec, self._frames = kind, spec, frames
        self._max_replay_bytes, self._folder = max_replay_bytes, folder
        self._agents: dict[int, Agent] = {}
        self._stack = FrameStack(spec.agent.num_envs, frames.shape, frames.dtype, history=spec.agent.history)
        self._environment: EnvironmentGroup | None = None
        self._now: NDArray[np.generic] = np.zeros((spec.agent.num_envs, *frames.shape), dtype=frames.dtype)
        self._returns = np.zeros(spec.agent.num_envs, dtype=np.float64)
        self.label_content: Counter[tuple[int, int]] = Counter()
        self.finished_returns: list[float] = []
        """Returns of the episodes that ended since the list was last cleared."""
        self.losses: list[float] = []
        """TD losses of the updates since the list was last cleared."""

    @property
    def agents(self) -> list[Agent]:
        """Those that have played so far."""
        return [self._agents[key] for key in sorted(self._agents)]

    @property
    def is_point_due(self) -> bool:
        """Whether some replay needs a resume point before it goes on for long."""
        return any(agent.replays.is_point_due for agent in self._agents.values())

    def agent(self, task_index: int) -> Agent:
        """The agent that plays the task: always the same one, unless they are independent."""
        key = task_index if self.kind == "independent" else 0
        if key not in self._agents:
            share = self._max_replay_bytes // (len(self._spec.tasks) if self.kind == "independent" else 1)
            folder = None if self._folder is None else self._folder / f"agent-{key}"
            self._agents[key] = Agent(self._spec, self.kind, frames=self._frames, max_replay_bytes=share, folder=folder, part=key)
        return self._agents[key]

    def enter(self, environment: EnvironmentGroup) -> None:
        """Begin to play in another environment, with new episodes."""
        self.leave()
        self._environment = environment
        self._now = environment.reset()
        self._stack.reset(self._now)
        self._returns[:] = 0.0
        self.finished_returns.clear()
        self.losses.clear()
        for agent in self._agents.values():
            agent.cut()

    def leave(self) -> EnvironmentFailed | None:
        """Stop playing where the player is; returns what the environment raised when it was closed."""
        environment, self._environment = self._environment, None
        return None if environment is None else let_go(environment)

    def tick(self, task_index: int, *, visit_index: int) -> Switches:
        """One step in every copy of the environment, and the updates that are due.

        Yields the belief that the agent comes to, if it changes, and then (examples done, examples) while a Fisher is
        estimated.

        Raises:
            SpecError: the player has entered no environment.
            NonFiniteError: the loss is NaN or infinite.
        """
        if self._environment is None:
            raise SpecError(f"method {self.kind!r} is to play task {task_index}, and is in no environment")
        environment = self._environment
        agent = self.agent(task_index)
        belief = agent.recognise(self._now, announced=task_index)
        if belief is not None:
            yield belief
            yield from agent.switch(belief, visit_index=visit_index)
        actions = agent.act(torch.from_numpy(self._stack.stacked))
        step = environment.step(actions)
        agent.remember(self._now, actions, step)
        self.label_content[agent.label, task_index] += len(actions)
        self._now = step.frames
        self._stack.push(step.frames, step.over)
        self._returns += step.rewards
        for copy in np.flatnonzero(step.over):
            self.finished_returns.append(float(self._returns[copy]))
            self._returns[copy] = 0.0
        self.losses += agent.learn()

    def task_of_label(self, label: int) -> int | None:
        """The task that was mostly played under a label; None for one that was never believed in."""
        content = {task: count for (other, task), count in self.label_content.items() if other == label}
        return max(content, key=lambda task: (content[task], -task)) if content else None

    def capture(self) -> dict[str, Tensor]:
        """Everything that the next tick depends on."""
        state = {
            _RETURNS: torch.from_numpy(self._returns.copy()),
            _FINISHED: torch.tensor(self.finished_returns, dtype=torch.float64),
            _LOSSES: torch.tensor(self.losses, dtype=torch.float64),
            _CONTENT: torch.tensor(
                [[*key, count] for key, count in sorted(self.label_content.items())], dtype=torch.int64
            ).reshape(-1, 3),
        }
        for key, agent in self._agents.items():
            state |= add_prefix(f"{_AGENT}{key}.", agent.capture())
        if self._environment is not None:
            state |= add_prefix(_ENVIRONMENT, self._environment.capture())
            state |= add_prefix(_STACK, self._stack.state())
        return state

    def files(self) -> dict[str, Path]:
        """The files of the agents' replays, by their paths below the player's folder."""
        named_files = {key: agent.replays.files() for key, agent in sorted(self._agents.items())}
        return {f"agent-{key}/{name}": file for key, files in named_files.items() for name, file in files.items()}

    def restore(self, state: Mapping[str, Tensor], *, environment: EnvironmentGroup | None, source: Path | None) -> None:
        """Go on from what `capture` gave, in a fresh `environment` of the same task (None between visits).

        Raises:
            StateFormatError: parts are missing, unknown or damaged.
        """
        rest = Rest(state)
        own = {_RETURNS, _FINISHED, _LOSSES, _CONTENT}
        if not own <= set(rest):
            raise StateFormatError(f"state of {self.kind!r} holds {sorted(rest)[:8]}, expected {sorted(own)} in it")
        self._returns = rest.pop(_RETURNS).numpy().copy()
        self.finished_returns, self.losses = rest.pop(_FINISHED).tolist(), rest.pop(_LOSSES).tolist()
        self.label_content = Counter({(label, task): count for label, task, count in rest.pop(_CONTENT).tolist()})
        agents = rest.taken(_AGENT)
        parts = {key: agents.taken(f"{key}.") for key in sorted({name.partition(".")[0] for name in agents})}
        environment_state, stack_state = rest.taken(_ENVIRONMENT), rest.taken(_STACK)
        if rest or not all(key.isdigit() for key in parts):
            raise StateFormatError(f"state of {self.kind!r} holds unknown tensors {sorted(rest)[:8]}, agents {sorted(parts)}")
        for key, part in parts.items():
            self.agent(int(key)).restore(part, source=None if source is None else source / f"agent-{key}")
        if environment is not None:
            self._environment = environment
            self._now = environment.restore(environment_state)
            self._stack.load_state(stack_state)
