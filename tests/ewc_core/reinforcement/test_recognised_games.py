"""The ten Atari games of the example are told apart from their pixels alone, with the settings that it has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.specs import ReinforcementSpec
from ewc_core.task_inference import Quantiser, make_recogniser
from tests.ewc_core.reinforcement.environments.play import random_actions

EXAMPLE = Path(__file__).parents[3] / "examples" / "atari_10_games.json"
NUM_COPIES, NUM_STEPS = 1, 150


def test_at_least_nine_of_ten_atari_games_are_told_apart_and_recognised_when_they_return() -> None:
    spec = ReinforcementSpec.model_validate_json(EXAMPLE.read_bytes())
    inference = spec.task_inference
    assert inference.kind == "flat"
    quantiser = Quantiser(
        (84, 84), np.dtype(np.uint8), num_levels=inference.num_levels, downscale=inference.downscale, low=None, high=None
    )
    recogniser = make_recogniser(inference, num_symbols=quantiser.num_symbols, num_levels=inference.num_levels, seed=0)
    mostly: list[dict[int, int | None]] = []
    for number in range(2):
        labels = {}
        for task in np.random.default_rng(number).permutation(len(spec.tasks)).tolist():
            group = make_environments(spec.tasks[task], num_envs=NUM_COPIES, seed=number)
            group.reset()
            believed: Counter[int | None] = Counter()
            for row in random_actions(group, NUM_STEPS, seed=number):
                believed[recogniser.step(quantiser(group.step(row).frames[0]), announced=task)] += 1
            group.close()
            labels[task] = believed.most_common(1)[0][0]
        mostly.append(labels)
    assert len(set(mostly[0].values())) >= 9
    assert sum(mostly[0][task] == mostly[1][task] for task in mostly[0]) >= 9
