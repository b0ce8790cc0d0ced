"""The spec of a reinforcement-learning job: one network, games that come and go, one method."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ewc_core.errors import SpecError
from ewc_core.specs.agent import AgentSpec, QFisherSpec, QNetworkSpec, check_replay_memory
from ewc_core.specs.base import Spec, refuse, require_all
from ewc_core.specs.environments import (
    ENVIRONMENT_PLUGINS,
    AtariTask,
    EnvironmentSpec,
    GymnasiumTask,
    check_environments_fit,
    frame_bytes,
)
from ewc_core.specs.execution import ExecutionSpec
from ewc_core.specs.kind import JobKind
from ewc_core.specs.method import Lambda, Method, NaiveMethod, PenaltyStep
from ewc_core.specs.schedule import ScheduleSpec, Segment, check_schedule, segments_of
from ewc_core.specs.supervised import MAX_TASKS, JobName, Metadata
from ewc_core.specs.task_inference import OracleInference, TaskInferenceSpec

if TYPE_CHECKING:
    from ewc_core.specs.any_task import AnyTaskSpec

GameControl = Literal["naive", "l2", "oracle", "shuffled_fisher", "independent"]


class _ConstrainedAgent(Method):
    ewc_lambda: Lambda
    fisher: QFisherSpec = QFisherSpec()
    ewc_start_frames: int = Field(default=0, ge=0, le=10**12)
    penalty_step: PenaltyStep = PenaltyStep.PROXIMAL


class GameEwcMethod(_ConstrainedAgent):
    """EWC on the shared weights, one constraint per recognised task, each with its own anchor.

    When the agent believes that another task has begun, the task that it leaves is consolidated, or consolidated anew,
    provided that it was played for `ewc_start_frames` frames (agent steps times the action repeat) in all. The task
    being played is not tied to its own past.
    """

    kind: Literal["ewc"] = "ewc"


class GameL2Method(_ConstrainedAgent):
    """As `ewc`, but every Fisher is replaced by its own mean over the shared weights: the same total stiffness, spread
    evenly."""

    kind: Literal["l2"] = "l2"


GameMethodSpec = Annotated[NaiveMethod | GameL2Method | GameEwcMethod, Field(discriminator="kind")]


class GameEvaluationSpec(Spec):
    """After every visit each task is played without learning: `num_episodes` episodes for each exploration epsilon.

    The first epsilon gives the scores of the matrix, the others are metrics. An episode is cut after `max_steps` agent
    steps. The seeds of the episodes are the same after every visit and for every method. An agent that recognises tasks
    first looks at a game for `num_look_steps` steps to tell which one it is; these count for nothing else. `tasks`
    "seen" leaves out those that no visit has trained yet.
    """

    num_episodes: int = Field(default=20, ge=1, le=1000)
    exploration_epsilons: list[Annotated[float, Field(ge=0.0, le=1.0)]] = Field(default=[0.05], min_length=1, max_length=4)
    max_steps: int = Field(default=27_000, ge=1, le=10**6)
    num_look_steps: int = Field(default=32, ge=1, le=10_000)
    tasks: Literal["all", "seen"] = "all"


class ReinforcementSpec(JobKind):
    """One network of fixed size learns game after game; games come back; the agent may have to find out which one it plays.

    Every control is an agent of its own that plays the same schedule: `naive` has no penalty, `l2` and `shuffled_fisher`
    have EWC's penalty with every Fisher flattened to its mean or shuffled within each parameter tensor, `oracle` is told
    the task, `independent` has a network per task, and is told it as well. With `stream` "open" more tasks may be
    announced while the job runs; each is visited for `schedule.num_steps` steps.
    """

    run: ClassVar[str] = "ewc_core.reinforcement.run:take_up"
    has_tasks: ClassVar[bool] = True
    target: ClassVar[str | None] = "ewc_core.reinforcement.target:GameTarget"
    answers: ClassVar[frozenset[str]] = frozenset({"overlap", "perturbation"})
    checked_by: ClassVar[str | None] = "ewc_core.reinforcement.check:look"
    sized_by: ClassVar[str | None] = "ewc_core.specs.size:least_reinforcement_size"
    plugin_groups: ClassVar[tuple[str, ...]] = (ENVIRONMENT_PLUGINS,)

    kind: Literal["reinforcement"]
    name: JobName | None = None
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="every random choice follows from it")
    num_threads: int = Field(default=1, ge=1, le=64, description="CPU threads; another number gives other last bits")
    execution: ExecutionSpec = ExecutionSpec()
    network: QNetworkSpec
    agent: AgentSpec
    method: GameMethodSpec
    task_inference: TaskInferenceSpec = OracleInference()
    controls: list[GameControl] = Field(default=[], max_length=5)
    tasks: list[EnvironmentSpec] = Field(min_length=1, max_length=MAX_TASKS)
    schedule: ScheduleSpec
    evaluation: GameEvaluationSpec = GameEvaluationSpec()
    stream: Literal["closed", "open"] = "closed"
    metadata: Metadata = Field(default={}, max_length=16)

    @property
    def methods(self) -> list[str]:
        """Kinds of everything that is trained: the method first, then the controls."""
        return [self.method.kind, *self.controls]

    @property
    def planned_tasks(self) -> Sequence[EnvironmentSpec]:
        """The games that the spec names, by index."""
        return self.tasks

    @property
    def planned_visits(self) -> list[int]:
        """The games of the schedule."""
        return [segment.task for segment in self.segments]

    @property
    def is_open(self) -> bool:
        """Whether tasks may be announced while it runs."""
        return self.stream == "open"

    def check_next_task(self, seen: Sequence[AnyTaskSpec], task: AnyTaskSpec) -> None:
        """Check that an announced task fits the network and the replay of a running job.

        Raises:
            SpecError: it is no game; its frames do not fit, its replay would not fit beside the others, or there are too many
                tasks.
        """
        if not isinstance(task, AtariTask | GymnasiumTask):
            raise SpecError(
                f"task.kind {task.kind!r} is a task on data; a reinforcement job plays games: 'atari' or 'gymnasium'",
                field="task.kind",
            )
        check_next_environment(self, [other for other in seen if isinstance(other, AtariTask | GymnasiumTask)], task)

    @property
    def segments(self) -> list[Segment]:
        """The scheduled visits in their order; the same spec gives the same order."""
        return segments_of(self.schedule, num_tasks=len(self.tasks), seed=self.seed)

    def num_steps_of_visit(self, visit_index: int) -> int:
        """Agent steps of a visit: as scheduled, or `schedule.num_steps` for one that was announced later."""
        segments = self.segments
        return segments[visit_index].num_steps if visit_index < len(segments) else self.schedule.num_steps

    @model_validator(mode="after")
    def _values_fit_together(self) -> ReinforcementSpec:
        require_all(
            self._require_controls_that_fit,
            partial(check_environments_fit, self.tasks),
            partial(check_schedule, self.schedule, num_tasks=len(self.tasks)),
            self._require_room_for_replays,
        )
        return self

    def _require_controls_that_fit(self) -> None:
        derived = [kind for kind in self.controls if kind in ("l2", "shuffled_fisher")]
        refuse(
            f"controls {self.controls} must differ from each other and from the method {self.method.kind!r}"
            if len(set(self.methods)) != len(self.methods)
            else None,
            f"controls {derived} change the Fisher of method 'ewc', but the method is {self.method.kind!r}"
            if derived and not isinstance(self.method, GameEwcMethod)
            else None,
            "controls: 'oracle' equals the method when task_inference.kind is 'oracle' already"
            if "oracle" in self.controls and isinstance(self.task_inference, OracleInference)
            else None,
        )

    def _require_room_for_replays(self) -> None:
        size = frame_bytes(self.tasks[0])
        if size is not None:
            check_replay_memory(self.agent, frame_bytes=size, num_tasks=len(self.tasks), num_agents=len(self.methods))


def check_next_environment(spec: ReinforcementSpec, seen: Sequence[EnvironmentSpec], task: EnvironmentSpec) -> None:
    """Check that an announced task fits the network and the replay of a running job.

    Raises:
        SpecError: its frames do not fit, its replay would not fit beside the others, or there are too many tasks.
    """
    if len(seen) >= MAX_TASKS:
        raise SpecError(f"the job has {len(seen)} tasks; at most {MAX_TASKS} are allowed", field="task")
    try:
        check_environments_fit([*seen, task])
        size = frame_bytes(task)
        if size is not None:
            check_replay_memory(spec.agent, frame_bytes=size, num_tasks=len(seen) + 1, num_agents=len(spec.methods))
    except ValueError as error:
        raise SpecError(str(error).removeprefix(f"tasks.{len(seen)}: "), field="task") from error
