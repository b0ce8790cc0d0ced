"""Small reinforcement-learning jobs, and runs of them that are interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ewc_core.events import Event, Stepped, Visit
from ewc_core.reinforcement.problem import GameProblem
from ewc_core.resume import ResumePoint
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.visits import VisitRun

NUM_ENVS, STEPS, STEPS_TO_RECOGNISE = 4, 400, 800
CATCH = [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": number} for number in (1, 2, 3)]
CARTPOLE = [{"kind": "gymnasium", "id": "CartPole-v1", "permutation": number} for number in (0, 1)]
ACROBOT = [{"kind": "gymnasium", "id": "Acrobot-v1", "permutation": number, "max_episode_steps": 30} for number in (0, 1)]
AGENT: dict[str, Any] = {
    "preset": "small",
    "num_envs": NUM_ENVS,
    "replay_capacity": 600,
    "min_history": 40,
    "batch_size": 16,
    "target_update_period": 60,
    "exploration": {"initial": 1.0, "final": 0.1, "start_steps": 40, "end_steps": 300},
}
EWC = {"kind": "ewc", "ewc_lambda": 50.0, "fisher": {"num_minibatches": 4}}
FLAT = {"kind": "flat", "num_levels": 2, "prior_count": 0.5, "window": 64, "update_every": 2}
A_B_A = (0, 1, 0)


def job(
    method: dict[str, Any] | None = None,
    *,
    tasks: list[dict[str, Any]] = CATCH[:2],
    visits: tuple[int, ...] = A_B_A,
    num_steps: int = STEPS,
    agent: dict[str, Any] | None = None,
    **fields: Any,
) -> ReinforcementSpec:
    """A job of a few short visits, evaluated on a few episodes."""
    return ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [16, 16]},
            "agent": {**AGENT, **(agent or {})},
            "method": method or EWC,
            "tasks": tasks,
            "schedule": {
                "kind": "explicit",
                "num_steps": num_steps,
                "visits": [{"task": task} for task in visits],
            },
            "evaluation": {"num_episodes": 4, "exploration_epsilons": [0.05, 0.5], "max_steps": 40, "num_look_steps": 16},
            **fields,
        }
    )


def visit_of(spec: ReinforcementSpec, index: int) -> Visit:
    task = spec.segments[index].task
    return Visit(index=index, task_index=task, task=spec.tasks[task])


def begin(spec: ReinforcementSpec, *, replay_folder: Path | None = None, generation: int = 0) -> VisitRun:
    """A run of the job that has not begun."""
    return VisitRun(GameProblem(spec, replay_folder=replay_folder, generation=generation))


def restored(
    spec: ReinforcementSpec, point: ResumePoint, *, visiting: int | None, replay_folder: Path, generation: int
) -> VisitRun:
    """A new run that goes on from `point`."""
    problem = GameProblem(spec, replay_folder=replay_folder, generation=generation)
    return VisitRun.restore(problem, point, tasks=spec.tasks, visiting=visiting)


def problem_of(run: VisitRun) -> GameProblem:
    """The agents of a run."""
    problem = run._problem
    assert isinstance(problem, GameProblem)
    return problem


def learn_all(run: VisitRun, *, first: int = 0) -> list[Event]:
    """All visits from `first` on."""
    spec = problem_of(run)._spec
    return [event for index in range(first, len(spec.segments)) for event in run.learn(visit_of(spec, index))]


class Interrupted:
    """A run that is captured whenever `at` says so of (visit index, step), goes on for a while, is dropped, and restored
    from the bytes of the point in a new run of another generation."""

    def __init__(self, spec: ReinforcementSpec, folder: Path, at: Callable[[int, int], bool], *, steps_lost: int = 40) -> None:
        self.spec, self._folder, self._at, self._steps_lost = spec, folder, at, steps_lost
        self.num_restores = 0
        self.run = begin(spec, replay_folder=folder)
        self._seen: set[tuple[int, int]] = set()
        self.events: list[Event] = []
        while self.run.visit_index < len(spec.segments):
            self.events += list(self._play())

    def _play(self) -> Iterator[Event]:
        index = self.run.visit_index
        events = self.run.learn(visit_of(self.spec, index))
        for event in events:
            yield event
            if isinstance(event, Stepped) and self._at(index, event.step) and (index, event.step) not in self._seen:
                self._seen.add((index, event.step))
                self._restore(self.run.capture().to_bytes(), visiting=event.visit.task_index, going_on=events)
                return
        if self._at(index, 0) and (index, 0) not in self._seen:
            self._seen.add((index, 0))
            self._restore(self.run.capture().to_bytes(), visiting=None, going_on=iter(()))

    def _restore(self, point: bytes, *, visiting: int | None, going_on: Iterator[Event]) -> None:
        for event in going_on:  # lost: what is done after the point by a process that dies before the next one
            if isinstance(event, Stepped) and event.step % self._steps_lost == 0:
                break
        self.num_restores += 1
        at = ResumePoint.from_bytes(point)
        self.run = restored(self.spec, at, visiting=visiting, replay_folder=self._folder, generation=self.num_restores)
        self.run.point_kept()


def same_tensors(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether names and bits are the same; the generation, which says who wrote them, is left out."""
    names = set(one) - {"generation"}
    return names == set(other) - {"generation"} and all(torch.equal(one[name], other[name]) for name in names)
