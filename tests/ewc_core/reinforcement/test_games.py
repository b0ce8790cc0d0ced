"""What tasks look like to agents, and what a return is worth."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.errors import SpecError
from ewc_core.reinforcement.games import frames_of, score_of
from ewc_core.specs.environments import AtariTask, GymnasiumTask


def _task(name: str, **fields: object) -> GymnasiumTask:
    return GymnasiumTask.model_validate({"kind": "gymnasium", "id": name, **fields})


def test_a_network_has_as_many_actions_as_the_task_with_most_and_bounds_are_the_widest() -> None:
    frames = frames_of([_task("CartPole-v1"), _task("CartPole-v1", permutation=3)])
    assert (frames.shape, frames.dtype, frames.num_actions, frames.action_repeat) == ((4,), np.float32, 2, 1)
    assert frames.low is not None
    alone = frames_of([_task("CartPole-v1")]).low
    assert alone is not None
    assert (frames.low <= alone).all()
    assert frames_of([_task("ewc/Catch-v0")]).low is None


def test_frames_that_differ_are_refused_with_the_task_at_fault() -> None:
    with pytest.raises(SpecError, match=r"\(2,\) float32") as refused:
        frames_of([_task("Acrobot-v1"), _task("Acrobot-v1"), _task("MountainCar-v0")])
    assert refused.value.field == "tasks.2"


@pytest.mark.parametrize(("mean_return", "score"), [(14.6, 1.0), (-20.7, 0.0), (21.0, 1.1813), (-21.0, -0.0085)])
def test_a_return_is_0_for_random_play_and_1_for_the_human_and_is_not_clipped(mean_return: float, score: float) -> None:
    assert score_of(AtariTask(kind="atari", game="pong"), mean_return) == pytest.approx(score, abs=1e-4)


def test_a_game_without_reference_scores_is_worth_its_return() -> None:
    assert score_of(_task("MountainCar-v0"), -150.0) == -150.0
    assert score_of(_task("MountainCar-v0", reference={"random": -200, "human": -100}), -150.0) == 0.5
