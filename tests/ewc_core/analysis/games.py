"""A small agent that has learned two permuted games of Catch, as an analysis finds it."""

from __future__ import annotations

import functools

from torch import Tensor

from ewc_core.events import Consolidated, Evaluated, Visit
from ewc_core.reinforcement.problem import GameProblem
from ewc_core.specs import ReinforcementSpec
from ewc_core.training.stored import Subject
from ewc_core.training.visits import VisitRun

SPEC = ReinforcementSpec.model_validate(
    {
        "kind": "reinforcement",
        "network": {"kind": "mlp", "hidden_sizes": [48, 48]},
        "agent": {
            "preset": "small",
            "num_envs": 8,
            "replay_capacity": 4000,
            "min_history": 100,
            "learning_rate": 2e-3,
            "target_update_period": 200,
            "exploration": {"initial": 1.0, "final": 0.05, "start_steps": 100, "end_steps": 2000},
        },
        "method": {"kind": "ewc", "ewc_lambda": 5.0, "fisher": {"num_minibatches": 20}},
        "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": number} for number in (1, 2)],
        "schedule": {"kind": "rounds", "num_steps": 8000, "order": "fixed"},
        "evaluation": {"num_episodes": 40, "exploration_epsilons": [0.02], "max_steps": 20},
    }
)


@functools.cache
def learned_games() -> Subject:
    """Both games learned, each for 8000 steps; it takes about 4 seconds. It has to learn them on a CPU with other bits, too:
    seeds 0 to 3 end at .94 or more."""
    run = VisitRun(GameProblem(SPEC))
    own: dict[int, dict[str, Tensor]] = {}
    constraints = []
    scores: dict[int, float] = {}
    for index, segment in enumerate(SPEC.segments):
        for event in run.learn(Visit(index=index, task_index=segment.task, task=SPEC.tasks[segment.task])):
            if isinstance(event, Consolidated):
                constraints.append(event.constraint)
            elif isinstance(event, Evaluated):
                scores = dict(event.scores)
        own[segment.task] = run.weights("ewc")
    assert min(scores.values()) > 0.8, "the agent has not learned its games"
    return Subject(SPEC, SPEC.tasks, constraints, run.weights("ewc"), own.get, data_dir=None)
