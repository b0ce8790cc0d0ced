"""Looking an agents' job over: opening its games, and timing how the agents play and learn, with replays that are thrown away."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from ewc_core.checking.look import Look
from ewc_core.errors import NonFiniteError, SpecError
from ewc_core.events import Visit, Warned
from ewc_core.generators import finished
from ewc_core.mistakes import Mistakes
from ewc_core.reinforcement.game_book import GameBook
from ewc_core.reinforcement.problem import GameProblem
from ewc_core.reinforcement.size_of import size_of
from ewc_core.specs import ReinforcementSpec
from ewc_core.specs.limits import JobSize
from ewc_core.training.stored import StoredJob

_BUDGET_SECONDS = 1.0
"""How long playing is timed."""
_SHORTENED_HISTORY = 4
"""Of so many minibatches a replay holds enough to learn from, in a job that is only timed."""


def look(spec: ReinforcementSpec, stored: StoredJob) -> Look:
    """Everything that take-up would refuse, and what the job takes; see `LookOver`. Its time is that of playing and learning:
    how long the episodes are that are played to evaluate, nobody knows yet."""
    mistakes, warnings = Mistakes(), list[Warned]()
    size: JobSize | None = None
    with mistakes.noted():
        size = size_of(spec, GameBook(spec).frames, stored.limits)
        stored.limits.require(size)
    if mistakes.found:
        return Look(mistakes.found, size=size)
    with TemporaryDirectory() as folder:
        try:
            return Look([], warnings, size, _seconds(spec, Path(folder), warnings))
        except (SpecError, NonFiniteError) as error:
            mistakes.note(error)
            return Look(mistakes.found, warnings, size)


def _seconds(spec: ReinforcementSpec, folder: Path, warnings: list[Warned]) -> float:
    """Of all agents in all visits. In the job that is played here agents learn from the beginning on, as they will for most of
    the real one."""
    agent = spec.agent
    enough = _SHORTENED_HISTORY * agent.batch_size + agent.num_envs
    short = agent.model_copy(
        update={"min_history": min(agent.min_history, enough), "replay_capacity": min(agent.replay_capacity, 4 * enough)}
    )
    problem = GameProblem(spec.model_copy(update={"agent": short}), replay_folder=folder)
    visit = Visit(0, spec.planned_visits[0], spec.tasks[spec.planned_visits[0]])
    num_steps = sum(segment.num_steps for segment in spec.segments)
    entering = problem.enter(visit, step=0, seen=[visit.task_index])
    warnings += [event for event in entering if isinstance(event, Warned)]
    try:
        done = 0
        while done < min(enough, num_steps):
            done += finished(problem.advance(visit, step=done, num_steps=num_steps))
        begun, before = time.perf_counter(), done
        while done == before or (done < num_steps and time.perf_counter() - begun < _BUDGET_SECONDS):
            done += finished(problem.advance(visit, step=done, num_steps=num_steps))
        return (time.perf_counter() - begun) / (done - before) * num_steps
    finally:
        for _ in problem.leave(visit):
            pass
