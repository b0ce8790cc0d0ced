"""`kill -9` during a job that plays games: replay, recogniser, timers and environments go on with the same bits."""

from __future__ import annotations

import pytest

from ewc_core.specs import ReinforcementSpec
from store.job_states import JobStatus
from tests.chaos.fleet import kill_until_finished, printed_by

NUM_KILLS = 3
SPEC = ReinforcementSpec.model_validate(
    {
        "kind": "reinforcement",
        "seed": 3,
        "network": {"kind": "mlp", "hidden_sizes": [50, 50]},
        "agent": {"preset": "small", "replay_capacity": 4000},
        "method": {"kind": "ewc", "ewc_lambda": 3.0, "fisher": {"kind": "gaussian_all_actions", "num_minibatches": 10}},
        "task_inference": {"kind": "flat", "num_levels": 2, "prior_count": 0.5, "window": 64, "update_every": 1},
        "controls": [],
        "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": k} for k in (1, 2)],
        "schedule": {"kind": "rounds", "num_rounds": 2, "num_steps": 6000, "order": "fixed"},
        "evaluation": {"num_episodes": 10, "exploration_epsilons": [0.05]},
    }
)
_UNDISTURBED = """
import sys, torch
from ewc_core.consolidation.constraint import weights_sha256
from ewc_core.events import Visit
from ewc_core.reinforcement.problem import GameProblem
from ewc_core.specs import ReinforcementSpec
from ewc_core.training.visits import VisitRun
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
spec = ReinforcementSpec.model_validate_json(sys.stdin.read())
run = VisitRun(GameProblem(spec))
for index, segment in enumerate(spec.segments):
    for event in run.learn(Visit(index=index, task_index=segment.task, task=spec.tasks[segment.task])):
        pass
print(weights_sha256(run.weights("ewc")))
"""


def undisturbed_sha256() -> str:
    """The final weights of the same spec, played by `ewc_core` alone in one process."""
    return printed_by(_UNDISTURBED, SPEC.model_dump_json())


@pytest.mark.by_day("servers")
def test_a_killed_game_job_ends_with_the_weights_of_an_undisturbed_run(stack, database, submit, start_worker):
    job_id = submit(SPEC)
    kills = kill_until_finished(database, job_id, start_worker, num_kills=NUM_KILLS, seed=20261125)
    assert len(kills) == NUM_KILLS, f"the job finished after {len(kills)} kills; it is too short for this test"
    with database.read() as work:
        job = work.jobs.get(job_id)
        events = work.events.page(job_id, limit=100_000)
        visits = work.switches.visits(job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error
    assert job.attempt > 1
    assert job.weights_sha256 == undisturbed_sha256()
    assert [event.seq for event in events] == list(range(1, job.last_event_seq + 1))
    assert [event.type for event in events].count("visit.finished") == 4
    assert all(visit.status == "done" for visit in visits)
