"""An agent that doubts which task it plays acts at random, until it knows."""

from __future__ import annotations

import torch

from ewc_core.reinforcement.agent import Agent, Belief
from ewc_core.reinforcement.game_book import GameBook
from ewc_core.reinforcement.player import Player
from ewc_core.specs import ReinforcementSpec
from tests.ewc_core.reinforcement.jobs import CATCH, FLAT, STEPS_TO_RECOGNISE, job

NUM_TICKS = 2 * STEPS_TO_RECOGNISE // 4
SOON_GREEDY = {"exploration": {"initial": 1.0, "final": 0.0, "start_steps": 0, "end_steps": 300}}


def _player(spec: ReinforcementSpec) -> tuple[Player, GameBook]:
    games = GameBook(spec)
    return Player(spec, "ewc", frames=games.frames, max_replay_bytes=2**24, folder=None), games


def _visit(player: Player, games: GameBook, task: int, *, visit_index: int) -> tuple[list[bool], list[tuple[int, Belief]]]:
    """Per tick whether the agent was in doubt; and the beliefs that it came to, with their ticks."""
    in_doubt: list[bool] = []
    beliefs: list[tuple[int, Belief]] = []
    agent = player.agent(task)
    player.enter(games.training_environment(task, visit_index=visit_index))
    for tick in range(NUM_TICKS):
        beliefs += [(tick, each) for each in player.tick(task, visit_index=visit_index) if isinstance(each, Belief)]
        in_doubt.append(agent.recogniser.is_in_doubt)
        assert agent.exploration_epsilon == 1.0 or not in_doubt[-1]
    player.leave()
    return in_doubt, beliefs


def test_on_a_return_doubt_comes_before_the_new_belief_ends_with_it_and_no_third_task_is_found() -> None:
    player, games = _player(job(agent=SOON_GREEDY, tasks=CATCH[:2], task_inference=FLAT))
    for visit_index, task in enumerate((0, 1, 0, 1)):
        in_doubt, beliefs = _visit(player, games, task, visit_index=visit_index)
        if visit_index >= 2:
            ((tick, belief),) = beliefs
            assert (belief.label, belief.is_new) == (task, False)
            assert any(in_doubt[:tick])
            assert not any(in_doubt[tick + 1 :])
    assert player.agent(0).recogniser.num_tasks == 2


def test_an_agent_that_is_told_its_task_is_never_in_doubt() -> None:
    player, games = _player(job(agent=SOON_GREEDY))
    for visit_index, task in enumerate((0, 1)):
        in_doubt, _ = _visit(player, games, task, visit_index=visit_index)
        assert not any(in_doubt)
    assert player.agent(0).exploration_epsilon == 0.0


def test_a_doubting_agent_takes_every_action_alike() -> None:
    player, games = _player(job(agent=SOON_GREEDY, task_inference=FLAT))
    for visit_index, task in enumerate((0, 1)):
        _visit(player, games, task, visit_index=visit_index)
    agent = player.agent(0)
    states = torch.zeros(3000, 1, 10, 5, dtype=torch.uint8)
    assert len(set(agent.act(states).tolist())) == 1
    _show_something_else(agent)
    assert torch.from_numpy(agent.act(states)).bincount(minlength=3).min() > 900


def _show_something_else(agent: Agent) -> None:
    """A picture that no task has, until the agent is in doubt."""
    frame = torch.zeros(1, 10, 5, dtype=torch.uint8)
    frame[:, 4] = 255
    for _ in range(FLAT["window"]):
        agent.recognise(frame.numpy(), announced=0)
        if agent.recogniser.is_in_doubt:
            return
    raise AssertionError("a picture that no task has left the agent sure")
