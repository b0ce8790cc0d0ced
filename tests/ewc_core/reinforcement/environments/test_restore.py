"""A group that is left in the middle of episodes is taken up again in a fresh one, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.reinforcement.environments import atari_group
from ewc_core.specs.environments import AtariTask, GymnasiumTask
from tests.ewc_core.reinforcement.environments.play import assert_same, atari_task, gymnasium_task, opened, play, random_actions

MINATAR = [gymnasium_task(f"MinAtar/{game}-v0") for game in ("Breakout", "Asterix", "Seaquest")]
CONTROL = [
    gymnasium_task("CartPole-v1", permutation=3),
    gymnasium_task("Acrobot-v1", max_episode_steps=70),
    gymnasium_task(permutation=2),
    gymnasium_task(max_episode_steps=20),
]
ATARI = [
    atari_task(),
    atari_task(repeat_action_probability=0.25, max_episode_frames=900),
    atari_task("pong", lost_life_ends=False),
]


@pytest.mark.parametrize("task", [*CONTROL, *MINATAR], ids=lambda task: task.title)
@pytest.mark.parametrize("num_before", [0, 137])
def test_gymnasium_goes_on_bit_for_bit(task: GymnasiumTask, num_before: int) -> None:
    _goes_on(task, num_before)


@pytest.mark.parametrize("task", ATARI, ids=lambda task: task.game)
@pytest.mark.parametrize("num_before", [0, 237])
def test_atari_goes_on_bit_for_bit(task: AtariTask, num_before: int) -> None:
    _goes_on(task, num_before)


def test_atari_goes_on_bit_for_bit_when_copies_were_seeded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atari_group, "_MIN_STEPS_PER_SEED", 40)
    _goes_on(atari_task(repeat_action_probability=0.1, max_episode_frames=240), 130)


def test_an_atari_episode_that_starts_from_no_new_seed_differs_from_the_one_before() -> None:
    group = opened(atari_task("freeway", max_episode_frames=120), 1)
    starts = [group.reset()[0], *(step.frames[0] for step in play(group, random_actions(group, 300)) if step.over[0])]
    assert len({start.tobytes() for start in starts}) > 3


def test_capture_changes_nothing() -> None:
    one, other = opened(gymnasium_task("CartPole-v1"), 2), opened(gymnasium_task("CartPole-v1"), 2)
    one.reset()
    other.reset()
    actions = random_actions(one, 50)
    play(one, actions[:20])
    kept = {name: tensor.clone() for name, tensor in one.capture().items()}
    state = one.capture()
    play(other, actions[:20])
    assert_same(play(one, actions[20:]), play(other, actions[20:]))
    assert all(torch.equal(state[name], kept[name]) for name in kept)


@pytest.mark.parametrize(
    "task", [gymnasium_task(), gymnasium_task("CartPole-v1"), atari_task("pong")], ids=lambda task: task.title
)
def test_a_state_of_another_number_of_copies_is_refused(task: AtariTask | GymnasiumTask) -> None:
    group = opened(task, 2)
    group.reset()
    with pytest.raises(StateFormatError, match="expected that of 3 copies"):
        opened(task, 3).restore(group.capture())


def test_a_damaged_state_is_refused() -> None:
    group = opened(gymnasium_task(), 2)
    group.reset()
    play(group, random_actions(group, 4))
    state = group.capture()
    with pytest.raises(StateFormatError, match="7 actions for episodes of"):
        group.restore({**state, "actions": state["actions"][:-1]})
    with pytest.raises(StateFormatError, match="8 actions for episodes of"):
        group.restore({**state, "episode_lengths": torch.tensor([-1, 9])})
    with pytest.raises(StateFormatError, match="expected that of 2 copies"):
        group.restore({name: tensor for name, tensor in state.items() if name != "actions"})


def _goes_on(task: AtariTask | GymnasiumTask, num_before: int) -> None:
    if isinstance(task, GymnasiumTask) and task.id.startswith("MinAtar/"):
        pytest.importorskip("minatar")
    played = opened(task, 3, seed=1)
    before, after = np.split(random_actions(played, num_before + 200), [num_before])
    now = played.reset()
    for step in play(played, before):
        now = step.frames
    state = played.capture()
    expected = play(played, after)
    fresh = opened(task, 3, seed=1)
    assert np.array_equal(fresh.restore(state), now)
    assert_same(play(fresh, after), expected)
    later = fresh.capture()
    assert all(torch.equal(tensor, later[name]) for name, tensor in played.capture().items())
    played.close()
    fresh.close()
