"""Learning games: the agents of a job, its method's and its controls', each in environments of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ewc_core.errors import EwcError, NonFiniteError, SpecError, StateFormatError
from ewc_core.events import (
    Consolidated,
    EpisodesLogged,
    Evaluated,
    Event,
    FisherProgress,
    TaskRecognised,
    Visit,
)
from ewc_core.implementations import implementation
from ewc_core.metrics import SCORES, Measured
from ewc_core.reinforcement.agent import Belief
from ewc_core.reinforcement.environments.repeatable import is_repeatable
from ewc_core.reinforcement.evaluate import details_of, play_task
from ewc_core.reinforcement.game_book import GameBook
from ewc_core.reinforcement.games import score_of
from ewc_core.reinforcement.player import Player
from ewc_core.reinforcement.replay_generations import generation_folder, keep_generation
from ewc_core.reinforcement.size_of import size_of
from ewc_core.scoring import measured
from ewc_core.seeding import generator
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.environments import GymnasiumTask
from ewc_core.specs.limits import NO_LIMITS, JobLimits
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.informing import Informing
from ewc_core.training.named_state import Rest, add_prefix
from ewc_core.training.problem import Place

NUM_LOGS_PER_VISIT = 200
_NOT_REPEATABLE = (
    "environment {!r} does not play an episode again for the same seed and the same actions: where the job is paused or killed "
    "it goes on with other bits; let the environment draw from self.np_random, which reset(seed=...) seeds"
)
_NOT_CLOSED = "{}; nothing that was played is lost, but what it holds (files, windows, processes) may stay until the job ends"
_GENERATION = "generation"


class GameProblem:
    """A `Problem`: every agent of a job. They play the same schedule, each in environments of its own.

    Deterministic for environments that are deterministic given their seed and their actions. All agents draw from generators
    of the same seeds: they differ by what they are, not by chance, and one with `ewc_lambda` 0 has the bits of `naive`.

    A step is an agent step in one copy of the environment; with n copies steps are made n at a time, and a visit's length is
    rounded up to that. Between two of them, while a belief is acted on or agents are evaluated, nothing can be captured.
    """

    can_capture_anywhere = False
    digests: Mapping[str, str] = {}
    is_over = False

    def __init__(
        self,
        spec: ReinforcementSpec,
        *,
        replay_folder: Path | None = None,
        generation: int = 0,
        source: Path | None = None,
        limits: JobLimits = NO_LIMITS,
    ) -> None:
        """Make the agents. Replays are files below `replay_folder` (None: in memory, and nothing played can be captured), in
        a folder of their own for each `generation`: a run that goes on from a resume point is of another generation than the
        one that made it, which may still be writing. `source` holds the files of a state to go on from, where they do not
        lie in the folder of the generation that made it. `limits` are those of a job that begins.

        Raises:
            SpecError: an environment is unknown, tasks do not fit together, or their replays not into the bound; `field` says
                which. JobTooLarge: the job would take more than its limits.
        """
        self._spec = spec
        self.methods = spec.methods
        self._base, self._generation, self._source = replay_folder, generation, source
        folder = None if replay_folder is None else generation_folder(replay_folder, generation)
        self._visited: Sequence[int] = ()
        self._seen: Sequence[int] = ()
        self._task = 0
        self._informing = Informing(spec.method.kind)
        self._games = GameBook(spec)
        if limits != NO_LIMITS:
            limits.require(size_of(spec, self._games.frames, limits))
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

    @property
    def is_point_due(self) -> bool:
        """Whether some replay needs a resume point before it goes on for long."""
        return any(player.is_point_due for player in self._players.values())

    def require(self, visit: Visit) -> None:
        """Know the visit's game. Raises SpecError when it cannot be played."""
        self._games.require(visit.task_index, visit.task)

    def num_steps(self, visit: Visit) -> int:
        """As the schedule has it."""
        return self._spec.num_steps_of_visit(visit.index)

    def num_examples(self, num_steps: int) -> int:
        """Agent steps."""
        return num_steps

    def enter(self, visit: Visit, *, step: int, seen: Sequence[int]) -> Iterator[Event]:
        """Begin to play the game of the visit; one that goes on is in it already."""
        self._task, self._seen = visit.task_index, seen
        self._informing.start_visit()
        if step > 0:
            return
        task = self._games.tasks[visit.task_index]
        if visit.task_index not in self._visited and isinstance(task, GymnasiumTask) and not is_repeatable(task):
            yield self._informing.warned(visit, "environment_not_repeatable", _NOT_REPEATABLE.format(visit.task.title))
        for player in self._players.values():
            player.enter(self._games.training_environment(visit.task_index, visit_index=visit.index))

    def advance(self, visit: Visit, *, step: int, num_steps: int) -> Generator[Event, None, int]:
        """One step of every agent in every copy of its environment.

        Raises:
            NonFiniteError: a network diverged.
        """
        num_copies = self._spec.agent.num_envs
        for kind, player in self._players.items():
            try:
                for told in player.tick(visit.task_index, visit_index=visit.index):
                    yield self._event(visit, kind, step, told)
            except NonFiniteError as error:
                raise NonFiniteError(
                    f"method {kind!r}, visit {visit.index} (task {visit.task.title!r}), step {step}: {error}; "
                    "try a smaller agent.learning_rate, penalty_step 'proximal' or a smaller ewc_lambda"
                ) from error
        done = step + num_copies
        if done % (max(1, num_steps // (NUM_LOGS_PER_VISIT * num_copies)) * num_copies) == 0 or done >= num_steps:
            yield from self._log(visit, done)
        return num_copies

    def consolidate(self, visit: Visit) -> Iterator[Event]:
        """What each agent consolidated during this visit, by task index: the task mostly played under a label.

        Where nothing follows, or nobody knows yet what, the task being played is consolidated as if another were about to
        begin. When one does, the constraint is replaced by that of the moment in which the agent leaves the task.
        """
        if self._spec.stream == "open" or visit.index + 1 >= len(self._spec.segments):
            for player in self._players.values():
                for progress in player.agent(visit.task_index).consolidate(visit_index=visit.index):
                    yield FisherProgress(visit, *progress)
        for kind, player in self._players.items():
            for agent in player.agents:
                for constraint in agent.consolidated.constraints:
                    label = constraint.task_index
                    task = player.task_of_label(label)
                    if agent.consolidated.made_in[label] == visit.index and task is not None:
                        yield Consolidated(visit, kind, replace(constraint, task_index=task), is_at_end=False)

    def evaluate(self, visit: Visit) -> Iterator[Event]:
        """The score of every agent in the games seen, or in all."""
        evaluation = self._spec.evaluation
        tasks = range(len(self._games.tasks)) if evaluation.tasks == "all" else self._seen
        for kind, player in self._players.items():
            results = {task: play_task(player.agent(task), task, self._games, self._spec) for task in tasks}
            yield Evaluated(
                visit,
                kind,
                {task: self._measured(visit, kind, task, scores[0].returns) for task, scores in results.items()},
                {"metric": self._games.metric, "tasks": {str(task): details_of(scores) for task, scores in results.items()}},
            )

    def leave(self, visit: Visit) -> Iterator[Event]:
        """Close the environments; one that cannot be closed is said at the first visit to its game."""
        failures = [failed for player in self._players.values() if (failed := player.leave()) is not None]
        if failures and visit.task_index not in self._visited:
            yield self._informing.warned(visit, "environment_not_closed", _NOT_CLOSED.format(failures[0]))
        self._visited = self._seen

    def weights(self, method: str) -> dict[str, Tensor]:
        """One method's parameters by name, as they are now, with the biases and gains of the task it plays; for `independent`
        those of the agent of the task visited last."""
        return self._players[method].agent(self._task).learner.parameters.views()

    def weigh(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these tasks (by task index) count so often from the next visit on; the others count once."""
        for player in self._players.values():
            for agent in player.agents:
                by_label = {label: player.task_of_label(label) for label in agent.consolidated.made_in}
                agent.weigh({label: weights[t] for label, t in by_label.items() if t is not None and t in weights})

    def state(self, *, in_visit: bool) -> dict[str, Tensor]:
        """Everything that the next step depends on; the replay's files belong to it."""
        tensors = {_GENERATION: torch.tensor(self._generation, dtype=torch.int64)}
        for kind, player in self._players.items():
            tensors |= add_prefix(f"{kind}.", player.capture())
        return tensors

    def load_state(self, tensors: Mapping[str, Tensor], place: Place, tasks: Sequence[AnyTaskSpec]) -> None:
        """Go on from what `state` gave. Replay files are copied to those of this generation.

        Raises:
            StateFormatError: the state, or a replay file, is not one of a job with this spec.
            SpecError: an environment is no longer there.
        """
        rest = Rest(tensors)
        if _GENERATION not in rest:
            raise StateFormatError(f"the resume point holds {sorted(rest)[:8]}, expected {_GENERATION!r} in it")
        made_by = int(rest.pop(_GENERATION))
        if self._base is None:
            raise SpecError("agents go on with the files of their replays only; there is no folder")
        source = self._source or generation_folder(self._base, made_by)
        if source == generation_folder(self._base, self._generation):
            raise StateFormatError(f"the resume point is of generation {made_by}; a run that goes on needs another one")
        known = [*place.visited, *([] if place.visiting is None else [place.visiting])]
        self._visited, self._seen, self._task = place.visited, sorted(place.visited), known[-1] if known else 0
        self._games.know(tasks[: max(len(self._spec.tasks), *(task + 1 for task in known), 0)])
        for kind, player in self._players.items():
            environment = (
                None
                if place.visiting is None
                else self._games.training_environment(place.visiting, visit_index=place.visit_index)
            )
            player.restore(rest.taken(f"{kind}."), environment=environment, source=source / kind)
        if rest:
            raise StateFormatError(f"the resume point holds {sorted(rest)[:8]}, which no method of {self.methods} has")

    def files(self) -> Mapping[str, Path]:
        """The files of the replays that the state has cursors in."""
        players = self._players.items()
        return {f"{kind}/{name}": file for kind, player in players for name, file in player.files().items()}

    def point_kept(self) -> None:
        """Delete the replay files of other generations: a resume point of this one is stored."""
        if self._base is not None:
            keep_generation(self._base, self._generation)

    @staticmethod
    def files_of(state: Mapping[str, Tensor], replay_folder: Path) -> Path:
        """The folder with the files of a state, where the run that made it has left them.

        Raises:
            StateFormatError: the state is not one of such a job.
        """
        if _GENERATION not in state:
            raise StateFormatError(f"the resume point holds {sorted(state)[:8]}, expected {_GENERATION!r} in it")
        return generation_folder(replay_folder, int(state[_GENERATION]))

    def blamed(self, error: BaseException) -> EwcError | None:
        """Environments blame their own errors."""
        return None

    def _measured(self, visit: Visit, kind: str, task: int, returns: Sequence[float]) -> Measured:
        name = self._games.tasks[task].score_name
        terms = implementation(SCORES[name].measure)(returns, partial(score_of, self._games.tasks[task]))
        random = generator(self._spec.seed, "interval", kind, visit.index, task)
        return measured(name, terms, num_choices=None, random=random)

    def _event(self, visit: Visit, kind: str, step: int, told: tuple[int, int] | Belief) -> Event:
        if not isinstance(told, Belief):
            return FisherProgress(visit, *told)
        return TaskRecognised(
            visit=visit,
            method=kind,
            label=told.label,
            previous=told.previous,
            posterior=told.posterior,
            is_new=told.is_new,
            num_steps_late=step,
            origin="announced" if self._players[kind].agent(visit.task_index).is_told else "inferred",
        )

    def _log(self, visit: Visit, step: int) -> Iterator[Event]:
        losses, returns, penalties = {}, {}, {}
        for kind, player in self._players.items():
            if player.losses:
                losses[kind] = sum(player.losses) / len(player.losses)
            if player.finished_returns:
                returns[kind] = partial(float, sum(player.finished_returns) / len(player.finished_returns))
            penalties[kind] = player.agent(visit.task_index).learner.penalty
            player.losses.clear()
            player.finished_returns.clear()
        yield from self._informing.step(visit, step, losses, self._informing.penalties(penalties))
        numbers = self._informing.numbers("the curve of returns", returns)
        if numbers:
            yield EpisodesLogged(visit, step, numbers)
        yield from self._informing.failures(visit)
