"""A reinforcement-learning job: its method's agent and its controls', visit after visit through the schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ewc_core.diagnostics import Diagnostics
from ewc_core.errors import NonFiniteError, SpecError, StateFormatError
from ewc_core.events import (
    Consolidated,
    EpisodesLogged,
    Evaluated,
    Event,
    FisherProgress,
    StepLogged,
    Stepped,
    TaskRecognised,
    Visit,
    VisitFinished,
    VisitStarted,
    Warned,
)
from ewc_core.reinforcement.agent import Belief
from ewc_core.reinforcement.environments.repeatable import is_repeatable
from ewc_core.reinforcement.evaluate import details_of, play_task
from ewc_core.reinforcement.game_book import GameBook
from ewc_core.reinforcement.games import metric_of, score_of
from ewc_core.reinforcement.player import Player
from ewc_core.reinforcement.replay_generations import generation_folder, keep_generation
from ewc_core.resume import ResumePoint
from ewc_core.specs.environments import EnvironmentSpec, GymnasiumTask
from ewc_core.specs.reinforcement import ReinforcementSpec

NUM_LOGS_PER_VISIT = 200
_NOT_REPEATABLE = (
    "environment {!r} does not play an episode again for the same seed and the same actions: where the job is paused or killed "
    "it goes on with other bits; let the environment draw from self.np_random, which reset(seed=...) seeds"
)
_NOT_CLOSED = "{}; nothing that was played is lost, but what it holds (files, windows, processes) may stay until the job ends"
_TASKS_VISITED, _GENERATION = "visited_tasks", "generation"


class ReinforcementRun:
    """Every agent of a job. They play the same schedule, each in environments of its own.

    Deterministic: the same spec, seed and thread count give the same bits, however often the run was captured and
    restored, for environments that are deterministic given their seed and their actions. All agents draw from generators of
    the same seeds: they differ by what they are, not by chance, and one with `ewc_lambda` 0 has the bits of `naive`.

    A step is an agent step in one copy of the environment; with n copies steps are made n at a time, and a visit's length is
    rounded up to that.
    """

    def __init__(self, spec: ReinforcementSpec, *, replay_folder: Path | None = None, generation: int = 0) -> None:
        """Make the agents. Replays are files below `replay_folder` (None: in memory, and nothing played can be captured), in
        a folder of their own for each `generation`: a run that goes on from a resume point is of another generation than the
        one that made it, which may still be writing.

        Raises:
            SpecError: an environment is unknown, tasks do not fit together, or their replays not into the bound; `field` says
                which.
        """
        self.spec = spec
        self.visit_index = 0
        self.step = 0
        self._base, self._generation = replay_folder, generation
        folder = None if replay_folder is None else generation_folder(replay_folder, generation)
        self._visited: list[int] = []
        self._ending = False
        self.can_capture = True
        """Whether `capture` is allowed now: not while a belief is acted on, or agents are evaluated."""
        self._diagnostics = Diagnostics()
        self._games = GameBook(spec)
        share = spec.agent.replay_memory_bytes // len(spec.methods)
        self._players = {
            kind: Player(
                spec,
                kind,
                frames=self._games.frames,
                max_replay_bytes=share,
                folder=None if folder is None else folder / kind,
            )
            for kind in spec.methods
        }

    @classmethod
    def restore(
        cls,
        spec: ReinforcementSpec,
        *,
        tasks: Sequence[EnvironmentSpec],
        point: ResumePoint,
        visiting: int | None,
        replay_folder: Path,
        generation: int,
    ) -> ReinforcementRun:
        """Go on from `point`, whose replay files are copied within `replay_folder` to those of `generation`.

        `tasks` are all tasks of the job, announced ones included; `visiting` is the index of the task whose visit is under
        way at the point, None between visits.

        Raises:
            StateFormatError: the point, or a replay file, is not one of a job with this spec.
            SpecError: an environment is no longer there.
        """
        if _GENERATION not in point.tensors or _TASKS_VISITED not in point.tensors:
            raise StateFormatError(
                f"the resume point holds {sorted(point.tensors)[:8]}, expected {_GENERATION!r} and {_TASKS_VISITED!r} in it"
            )
        made_by = int(point.tensors[_GENERATION])
        if made_by == generation:
            raise StateFormatError(f"the resume point is of generation {made_by}; a run that goes on needs another one")
        source = generation_folder(replay_folder, made_by)
        run = cls(spec, replay_folder=replay_folder, generation=generation)
        run.visit_index, run.step = point.visit_index, point.step
        run._visited = [int(task) for task in point.tensors[_TASKS_VISITED]]
        known = [*run._visited, *([] if visiting is None else [visiting])]
        run._games.know(tasks[: max(len(spec.tasks), *(task + 1 for task in known), 0)])
        for kind, player in run._players.items():
            prefix = f"{kind}."
            state = {name.removeprefix(prefix): t for name, t in point.tensors.items() if name.startswith(prefix)}
            environment = (
                None
                if visiting is None or point.step == 0
                else run._games.training_environment(visiting, visit_index=point.visit_index)
            )
            player.restore(state, environment=environment, source=source / kind)
        return run

    def capture(self) -> ResumePoint:
        """The present state, where `can_capture`: at every yielded Stepped, and between visits. Changes nothing; the replay's
        files belong to it."""
        if not self.can_capture:
            raise AssertionError("the run was captured between two steps, while a belief was acted on or agents were evaluated")
        tensors: dict[str, Tensor] = {
            _TASKS_VISITED: torch.tensor(self._visited, dtype=torch.int64),
            _GENERATION: torch.tensor(self._generation, dtype=torch.int64),
        }
        for kind, player in self._players.items():
            tensors |= {f"{kind}.{name}": tensor for name, tensor in player.capture().items()}
        return ResumePoint(visit_index=self.visit_index, step=self.step, tensors=tensors)

    def drop_other_generations(self) -> None:
        """Delete the replay files of other generations; allowed once a resume point of this one is kept."""
        if self._base is not None:
            keep_generation(self._base, self._generation)

    def weights(self, method: str) -> dict[str, Tensor]:
        """Named copies of one method's parameters, with the biases and gains of the task it plays; for `independent` those
        of the agent of the task visited last."""
        player = self._players[method]
        latest = self._visited[-1] if self._visited else 0
        return player.agent(latest).learner.parameters.named()

    def set_constraint_weights(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these tasks (by task index) count so often from the next visit on; the others count once.

        Raises:
            SpecError: a visit is under way, whose constraints are settled.
        """
        if self.step > 0:
            raise SpecError("constraints are weighted between visits; a visit is under way")
        for player in self._players.values():
            for agent in player.agents:
                by_label = {label: player.task_of_label(label) for label in agent.consolidated.made}
                agent.weigh({label: weights[t] for label, t in by_label.items() if t is not None and t in weights})

    def end_visit_now(self) -> None:
        """Let the visit end after the step just made; call it between events of `learn`."""
        self._ending = True

    def learn(self, visit: Visit) -> Iterator[Event]:
        """One visit, from step `self.step` on; yields events in the order of `ewc_core.events`.

        Raises:
            SpecError: another visit or task is due, or the environment is unavailable.
            NonFiniteError: a network diverged.
        """
        if visit.index != self.visit_index:
            raise SpecError(f"visit {visit.index} cannot be learned now: visit {self.visit_index} is due")
        self._games.require(visit.task_index, visit.task)
        self._ending = False
        self._diagnostics.start_visit()
        num_steps = self.spec.num_steps_of_visit(visit.index)
        if visit.max_steps is not None:
            num_steps = min(num_steps, visit.max_steps)
        yield VisitStarted(visit, self.step, num_steps)
        self.can_capture = False
        is_new = visit.task_index not in self._visited
        if self.step == 0:
            task = self._games.tasks[visit.task_index]
            if is_new and isinstance(task, GymnasiumTask) and not is_repeatable(task):
                yield Warned(visit, self.spec.method.kind, "environment_not_repeatable", _NOT_REPEATABLE.format(visit.task.title))
            for player in self._players.values():
                player.enter(self._games.training_environment(visit.task_index, visit_index=visit.index))
        yield from self._play(visit, num_steps)
        if self.spec.stream == "open" or visit.index + 1 >= len(self.spec.segments):
            yield from self._consolidate_present(visit)
        yield from self._consolidated(visit)
        if visit.task_index not in self._visited:
            self._visited.append(visit.task_index)
        yield from self._evaluate(visit)
        finished = VisitFinished(visit, self.step, self.step)
        failures = [failed for player in self._players.values() if (failed := player.leave()) is not None]
        if failures and is_new:
            yield Warned(visit, self.spec.method.kind, "environment_not_closed", _NOT_CLOSED.format(failures[0]))
        self._visited.remove(visit.task_index)
        self._visited.append(visit.task_index)
        self.visit_index, self.step = visit.index + 1, 0
        self.can_capture = True
        yield finished

    def _play(self, visit: Visit, num_steps: int) -> Iterator[Event]:
        num_copies = self.spec.agent.num_envs
        log_every = max(1, num_steps // (NUM_LOGS_PER_VISIT * num_copies)) * num_copies
        while self.step < num_steps and not self._ending:
            for kind, player in self._players.items():
                try:
                    for happened in player.tick(visit.task_index, visit_index=visit.index):
                        yield self._event(visit, kind, happened)
                except NonFiniteError as error:
                    raise NonFiniteError(
                        f"method {kind!r}, visit {visit.index} (task {visit.task.title!r}), step {self.step}: {error}; "
                        "try a smaller agent.learning_rate, penalty_step 'proximal' or a smaller ewc_lambda"
                    ) from error
            self.step += num_copies
            if self.step % log_every == 0 or self.step >= num_steps:
                yield from self._log(visit)
            self.can_capture = True
            yield Stepped(visit, self.step, num_steps, is_point_due=any(p.is_point_due for p in self._players.values()))
            self.can_capture = False

    def _event(self, visit: Visit, kind: str, happened: tuple[int, int] | Belief) -> Event:
        if isinstance(happened, Belief):
            told = self._players[kind].agent(visit.task_index).is_told
            return TaskRecognised(
                visit=visit,
                method=kind,
                label=happened.label,
                previous=happened.previous,
                posterior=happened.posterior,
                is_new=happened.is_new,
                num_steps_late=self.step,
                origin="announced" if told else "inferred",
            )
        return FisherProgress(visit, *happened)

    def _log(self, visit: Visit) -> Iterator[Event]:
        losses, returns, penalties = {}, {}, {}
        for kind, player in self._players.items():
            if player.losses:
                losses[kind] = sum(player.losses) / len(player.losses)
            if player.finished_returns:
                returns[kind] = partial(float, sum(player.finished_returns) / len(player.finished_returns))
            penalties[kind] = player.agent(visit.task_index).learner.penalty
            player.losses.clear()
            player.finished_returns.clear()
        yield StepLogged(visit, self.step, losses, self._diagnostics.numbers("the penalty's curve", penalties))
        numbers = self._diagnostics.numbers("the curve of returns", returns)
        if numbers:
            yield EpisodesLogged(visit, self.step, numbers)
        yield from self._diagnostics.warnings(visit, self.spec.method.kind)

    def _consolidate_present(self, visit: Visit) -> Iterator[Event]:
        """Nothing follows, or nobody knows yet what: the task being played is consolidated as if another were about to begin.
        When one does, the constraint is replaced by that of the moment in which the agent leaves the task."""
        for player in self._players.values():
            for progress in player.agent(visit.task_index).consolidate(visit_index=visit.index):
                yield FisherProgress(visit, *progress)

    def _consolidated(self, visit: Visit) -> Iterator[Event]:
        """What each agent consolidated during this visit, by task index: the task mostly played under a label."""
        for kind, player in self._players.items():
            for agent in player.agents:
                for label, made in sorted(agent.consolidated.made.items()):
                    task = player.task_of_label(label)
                    if made.visit_index == visit.index and task is not None:
                        yield Consolidated(visit, kind, replace(made.constraint, task_index=task))

    def _evaluate(self, visit: Visit) -> Iterator[Event]:
        evaluation = self.spec.evaluation
        tasks = range(len(self._games.tasks)) if evaluation.tasks == "all" else sorted(self._visited)
        for kind, player in self._players.items():
            results = {task: play_task(player.agent(task), task, self._games, self.spec) for task in tasks}
            yield Evaluated(
                visit,
                kind,
                {task: score_of(self._games.tasks[task], scores[0].mean) for task, scores in results.items()},
                dict.fromkeys(results, evaluation.num_episodes),
                {task: metric_of(self._games.tasks[task]) for task in results},
                {"metric": self._games.metric, "tasks": {str(task): details_of(scores) for task, scores in results.items()}},
            )


def run(spec: ReinforcementSpec) -> Iterator[Event]:
    """Play the whole schedule of a closed spec, yielding events as `ewc_core.events` describes; replays in memory.

    Raises:
        SpecError: the stream is open (nobody could announce its tasks), or an environment is unavailable.
        NonFiniteError: training diverged.
    """
    if spec.stream != "closed":
        raise SpecError(f"stream is {spec.stream!r}; a run from start to end needs 'closed'", field="stream")
    job = ReinforcementRun(spec)
    for index, segment in enumerate(spec.segments):
        yield from job.learn(Visit(index=index, task_index=segment.task, task=spec.tasks[segment.task]))
