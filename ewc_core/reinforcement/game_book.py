"""The games of a job: what their frames look like, which may join them, and the environments to play them in."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ewc_core.derived_seed import derive_seed
from ewc_core.errors import SpecError, StateFormatError
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.reinforcement.games import frames_of
from ewc_core.specs.agent import check_replay_memory
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.environments import AtariTask, EnvironmentSpec, GymnasiumTask
from ewc_core.specs.reinforcement import ReinforcementSpec, check_next_environment


class GameBook:
    """Games by task index: those of the spec, then announced ones as they come. All agents play in environments of the same
    seeds."""

    def __init__(self, spec: ReinforcementSpec) -> None:
        """Open every game of the spec once.

        Raises:
            SpecError: an environment is unknown, tasks do not fit together, or their replays not into the bound; `field` says
                which.
        """
        self._spec = spec
        self.tasks: list[EnvironmentSpec] = list(spec.tasks)
        self.frames = frames_of(spec.tasks)
        self._check_memory(len(spec.tasks))

    @property
    def metric(self) -> str:
        """What a row of scores is in: "normalised" when every game has reference scores, else "return"."""
        return "normalised" if all(task.score_name == "normalised" for task in self.tasks) else "return"

    def know(self, tasks: Sequence[AnyTaskSpec]) -> None:
        """Go on with these games, which all were admitted before. Raises StateFormatError for a task that is no game."""
        games = [task for task in tasks if isinstance(task, AtariTask | GymnasiumTask)]
        if len(games) != len(tasks):
            raise StateFormatError(f"only {len(games)} of the {len(tasks)} stored tasks are games")
        self.tasks = games

    def require(self, index: int, task: AnyTaskSpec) -> None:
        """Know `task` under `index`: the next one, or one known already.

        Raises:
            SpecError: `index` is another task's or not the next; or the game does not fit the network or the memory.
        """
        if index == len(self.tasks) and isinstance(task, AtariTask | GymnasiumTask):
            self._admit(task)
        elif index >= len(self.tasks) or self.tasks[index] != task:
            raise SpecError(f"task {index} ({task.title!r}) is not the job's, which has {len(self.tasks)} tasks")

    def training_environment(self, task: int, *, visit_index: int) -> EnvironmentGroup:
        """The copies in which an agent plays one visit."""
        return make_environments(
            self.tasks[task],
            num_envs=self._spec.agent.num_envs,
            seed=derive_seed(self._spec.seed, "environment", visit_index),
            num_actions=self.frames.num_actions,
        )

    def evaluation_environment(self, task: int, num_envs: int) -> EnvironmentGroup:
        """Copies for one evaluation, whose episodes begin alike every time."""
        return make_environments(
            self.tasks[task],
            num_envs=num_envs,
            seed=derive_seed(self._spec.seed, "evaluation-episodes", task),
            num_actions=self.frames.num_actions,
            for_training=False,
        )

    def _admit(self, task: EnvironmentSpec) -> None:
        check_next_environment(self._spec, self.tasks, task)
        frames = frames_of([*self.tasks, task])
        if frames.num_actions > self.frames.num_actions:
            raise SpecError(
                f"task {task.title!r} has {frames.num_actions} actions, and the network {self.frames.num_actions}", field="task"
            )
        self._check_memory(len(self.tasks) + 1)
        self.tasks.append(task)

    def _check_memory(self, num_tasks: int) -> None:
        """As the spec's own check, now that the size of a frame is known for every environment."""
        frame_bytes = math.prod(self.frames.shape) * self.frames.dtype.itemsize
        num_agents = len(self._spec.methods)
        try:
            check_replay_memory(self._spec.agent, frame_bytes=frame_bytes, num_tasks=num_tasks, num_agents=num_agents)
        except ValueError as error:
            raise SpecError(str(error), field="agent.replay_memory_bytes") from error
