"""Reinforcement-learning jobs: a whole one in one call, and one that the record holds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from ewc_core.events import Event
from ewc_core.reinforcement.problem import GameProblem
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.stored import StoredJob
from ewc_core.training.visits import VisitRun, learn_all


def run(spec: ReinforcementSpec) -> Iterator[Event]:
    """Play the whole schedule of a closed spec, yielding events as `ewc_core.events` describes; replays in memory.

    Raises:
        SpecError: the stream is open (nobody could announce its tasks), or an environment is unavailable.
        NonFiniteError: training diverged.
    """
    yield from learn_all(spec, lambda: VisitRun(GameProblem(spec)))


def take_up(spec: ReinforcementSpec, stored: StoredJob) -> VisitRun:
    """The run of a job as its record has it; see `ewc_core.training.take_up`.

    Replays lie in one folder per lease: a holder that has lost its lease and does not know it yet writes into its own, never
    into its successor's. Where those of the point are not to be found there (on another host, or in a new job), the record's
    own copy is taken, if it has one.
    """
    point = stored.point
    if point is None:
        shutil.rmtree(stored.replay_folder, ignore_errors=True)
        # What goes on was let in before, under the limits of then.
        return VisitRun(GameProblem(spec, replay_folder=stored.replay_folder, generation=stored.generation, limits=stored.limits))
    source = GameProblem.files_of(point.tensors, stored.replay_folder)
    if not source.is_dir():
        unpacked = stored.replay_folder / f"unpacked-{stored.generation}"
        shutil.rmtree(unpacked, ignore_errors=True)
        source = unpacked if stored.put_files(unpacked) else source
    problem = GameProblem(spec, replay_folder=stored.replay_folder, generation=stored.generation, source=source)
    return VisitRun.restore(problem, point, tasks=stored.tasks, visiting=stored.visiting)
