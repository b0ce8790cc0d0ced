"""Specs of games: names, references, and whether one network can play them together."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from ewc_core.specs.atari_games import ATARI_GAMES, RANDOM_AND_HUMAN
from ewc_core.specs.environments import (
    AtariTask,
    EnvironmentSpec,
    GymnasiumTask,
    Reference,
    check_environments_fit,
    frame_bytes,
    frame_shape,
)

_TASK: TypeAdapter[EnvironmentSpec] = TypeAdapter(EnvironmentSpec)
CATCH = "ewc/Catch-v0"


def _atari(game: str, **fields: Any) -> AtariTask:
    return AtariTask.model_validate({"kind": "atari", "game": game, **fields})


def _gymnasium(environment_id: str, **fields: Any) -> GymnasiumTask:
    return GymnasiumTask.model_validate({"kind": "gymnasium", "id": environment_id, **fields})


@pytest.mark.parametrize(
    ("game", "hint"),
    [
        ("space_invader", "did you mean space_invaders"),
        ("SpaceInvaders", "'space_invaders'"),
        ("stargunner", "did you mean star_gunner"),
        ("kung-fu-master", "did you mean kung_fu_master"),
        ("combat", "there is no Atari game 'combat'"),
        ("zzzzzzzz", "104 games"),
    ],
)
def test_an_unknown_game_is_refused_with_suggestions(game: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        _TASK.validate_python({"kind": "atari", "game": game})


def test_the_table_has_57_games_and_all_can_be_played() -> None:
    assert len(RANDOM_AND_HUMAN) == 57
    assert set(RANDOM_AND_HUMAN) <= set(ATARI_GAMES)
    assert len(ATARI_GAMES) == len(set(ATARI_GAMES)) == 104
    assert all(human > random for random, human in RANDOM_AND_HUMAN.values())


@pytest.mark.parametrize(
    ("game", "random", "human"),
    [
        ("alien", 227.8, 7127.7),
        ("bank_heist", 14.2, 753.1),
        ("breakout", 1.7, 30.5),
        ("double_dunk", -18.6, -16.4),
        ("enduro", 0.0, 860.5),
        ("ms_pacman", 307.3, 6951.6),
        ("pong", -20.7, 14.6),
        ("skiing", -17098.1, -4336.9),
        ("star_gunner", 664.0, 10250.0),
        ("video_pinball", 16256.9, 17667.9),
        ("zaxxon", 32.5, 9173.3),
    ],
)
def test_scores_are_those_of_the_published_table(game: str, random: float, human: float) -> None:
    reference = _atari(game).reference_scores
    assert reference == Reference(random=random, human=human)
    assert reference.normalised(random) == 0.0
    assert reference.normalised(human) == 1.0
    assert reference.normalised(2 * human - random) == pytest.approx(2.0)


def test_the_sums_of_the_table_are_those_of_the_published_one() -> None:
    assert sum(random for random, _ in RANDOM_AND_HUMAN.values()) == pytest.approx(50864.9)
    assert sum(human for _, human in RANDOM_AND_HUMAN.values()) == pytest.approx(606494.2)


def test_games_outside_the_table_have_a_reference_only_when_one_is_given() -> None:
    assert _atari("adventure").reference_scores is None
    given = {"random": 1.0, "human": 3.0}
    assert _atari("adventure", reference=given).reference_scores == Reference(random=1.0, human=3.0)
    assert _atari("pong", reference=given).reference_scores == Reference(random=1.0, human=3.0)


def test_a_reference_needs_a_human_better_than_random() -> None:
    with pytest.raises(ValidationError, match=r"human 1\.0 must be more than random 1\.0"):
        _atari("pong", reference={"random": 1.0, "human": 1.0})


def test_a_shortened_environment_has_no_built_in_reference() -> None:
    assert _gymnasium("CartPole-v1").reference_scores is not None
    assert _gymnasium("CartPole-v1", permutation=3).reference_scores is not None
    assert _gymnasium("CartPole-v1", max_episode_steps=50).reference_scores is None
    assert _gymnasium("CartPole-v1", options={"sutton_barto_reward": True}).reference_scores is None


def test_titles_tell_permutations_apart() -> None:
    assert _gymnasium(CATCH).title == "ewc/Catch-v0"
    assert _gymnasium(CATCH, permutation=2).title == "ewc/Catch-v0-permutation-2"
    assert _gymnasium(CATCH, permutation=2, name="second").title == "second"
    assert _atari("pong").title == "pong"


def test_frames_are_known_before_anything_is_opened() -> None:
    assert (frame_shape(_atari("pong")), frame_bytes(_atari("pong"))) == ((84, 84), 84 * 84)
    assert (frame_shape(_gymnasium("MinAtar/Freeway-v0")), frame_bytes(_gymnasium("MinAtar/Freeway-v0"))) == ((10, 10, 10), 1000)
    assert (frame_shape(_gymnasium("CartPole-v1")), frame_bytes(_gymnasium("CartPole-v1"))) == ((4,), 16)
    assert (frame_shape(_gymnasium(CATCH)), frame_bytes(_gymnasium(CATCH))) == ((10, 5), 50)
    assert (frame_shape(_gymnasium("Taxi-v3")), frame_bytes(_gymnasium("Taxi-v3"))) == (None, None)


def test_tasks_of_other_frames_do_not_fit_and_the_message_names_the_task() -> None:
    check_environments_fit([_atari("pong"), _atari("breakout")])
    check_environments_fit([_gymnasium("Some/Unknown-v0"), _atari("breakout")])
    with pytest.raises(
        ValueError, match=r"^tasks\.1: 'CartPole-v1' has frames of shape \[4\], the first task 'pong' of \[84, 84\]"
    ):
        check_environments_fit([_atari("pong"), _gymnasium("CartPole-v1")])


@pytest.mark.parametrize("fields", [{"permutation": -1}, {"max_episode_steps": 0}, {"id": ""}, {"unknown": 1}])
def test_values_out_of_range_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        _TASK.validate_python({"kind": "gymnasium", "id": CATCH, **fields})
