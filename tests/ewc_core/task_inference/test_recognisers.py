"""What every recogniser promises, whatever it is made of."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.specs.task_inference import FlatInference, FmnInference
from ewc_core.task_inference import Quantiser, TaskRecogniser, make_recogniser
from tests.ewc_core.task_inference.synthetic_games import Games, Symbols

ORDER = [0, 1, 2, 0, 3, 1, 2, 3, 0]
FLAT, FMN = FlatInference(kind="flat"), FmnInference(kind="fmn", min_level=4)
both = pytest.mark.parametrize("spec", [FLAT, FMN], ids=["flat", "fmn"])


def _recogniser(spec: FlatInference | FmnInference, games: Games, seed: int = 0) -> TaskRecogniser:
    return make_recogniser(spec, num_symbols=games.num_symbols, num_levels=games.num_levels, seed=seed)


def _believe(recogniser: TaskRecogniser, stream: list[Symbols]) -> list[int | None]:
    return [recogniser.step(symbols, announced=-1) for symbols in stream]


@both
@pytest.mark.parametrize("length", [160, 157])
def test_games_are_found_and_recognised_when_they_return(spec: FlatInference | FmnInference, length: int) -> None:
    games = Games(4)
    recogniser = _recogniser(spec, games)
    labels = np.array([[recogniser.step(symbols, announced=-1) for _, symbols in games.play([game], length)] for game in ORDER])
    assert recogniser.num_tasks == 4
    assert labels[:, -1].tolist() == ORDER
    returns = [3, 5, 6, 7, 8]
    latency = 12 if spec is FLAT else spec.debounce
    assert (labels[returns, latency:] == np.array(ORDER)[returns, None]).all()


@both
def test_a_stream_that_never_changes_is_one_task(spec: FlatInference | FmnInference) -> None:
    games = Games(1)
    recogniser = _recogniser(spec, games)
    assert _believe(recogniser, [games.observe(0)] * 100)[-1] == 0
    assert recogniser.num_tasks == 1


@both
def test_noise_alone_makes_no_task(spec: FlatInference | FmnInference) -> None:
    games = Games(1, noise=0.5)
    recogniser = _recogniser(spec, games)
    _believe(recogniser, [games.observe(0) for _ in range(300)])
    assert recogniser.num_tasks == 1


@both
def test_it_believes_nothing_before_it_has_evidence_and_settles_only_what_it_believes(
    spec: FlatInference | FmnInference,
) -> None:
    games = Games(2)
    recogniser = _recogniser(spec, games)
    assert (recogniser.num_tasks, recogniser.posterior, recogniser.num_settled) == (0, 1.0, 0)
    assert recogniser.step(games.observe(0), announced=-1) is None
    _believe(recogniser, [games.observe(0) for _ in range(63)])
    settled = recogniser.num_settled
    assert settled > 0
    labels, counts = [], []
    for _ in range(64):
        labels.append(recogniser.step(games.observe(1), announced=-1))
        counts.append(recogniser.num_settled)
    known = labels.index(1)
    assert known > 0
    assert counts[known - 1] == settled, "the old belief is not confirmed by what another task shows"
    assert counts[-1] > settled


@both
def test_the_posterior_of_the_belief_is_a_probability_and_near_one_when_games_differ(spec: FlatInference | FmnInference) -> None:
    games = Games(2)
    recogniser = _recogniser(spec, games)
    for _, symbols in games.play([0, 1, 0], 80):
        recogniser.step(symbols, announced=-1)
        assert 0.0 <= recogniser.posterior <= 1.0
    assert recogniser.posterior > 0.99


@both
def test_identifying_finds_the_known_task_and_changes_nothing(spec: FlatInference | FmnInference) -> None:
    games = Games(3)
    recogniser = _recogniser(spec, games)
    assert recogniser.identify([games.observe(0)]) is None
    for _, symbols in games.play([0, 1, 2], 90):
        recogniser.step(symbols, announced=-1)
    before = recogniser.state()
    assert [recogniser.identify([games.observe(game) for _ in range(4)]) for game in (2, 0, 1)] == [2, 0, 1]
    after = recogniser.state()
    assert all(torch.equal(before[name], after[name]) for name in before)


@both
def test_it_goes_on_from_its_state_to_the_bit(spec: FlatInference | FmnInference) -> None:
    games = Games(3, num_symbols=60)
    stream = [symbols for _, symbols in games.play([0, 1, 0, 2], 90)]
    first, second = _recogniser(spec, games, seed=1), _recogniser(spec, games, seed=2)
    cut = 182  # in the middle of a window, and of a segment
    _believe(first, stream[:cut])
    second.load_state(first.state())
    for symbols in stream[cut:]:
        assert first.step(symbols, announced=-1) == second.step(symbols, announced=-1)
        assert first.posterior == second.posterior
    assert (first.num_tasks, first.num_settled) == (second.num_tasks, second.num_settled)
    one, other = first.state(), second.state()
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


@both
def test_a_state_is_a_copy(spec: FlatInference | FmnInference) -> None:
    games = Games(2, num_symbols=30)
    recogniser = _recogniser(spec, games)
    _believe(recogniser, [games.observe(0) for _ in range(30)])
    state = recogniser.state()
    kept = {name: tensor.clone() for name, tensor in state.items()}
    _believe(recogniser, [games.observe(1) for _ in range(30)])
    assert all(torch.equal(state[name], kept[name]) for name in kept)


@both
def test_the_order_of_symbols_does_not_matter(spec: FlatInference | FmnInference) -> None:
    games = Games(2)
    permutation = np.random.default_rng(1).permutation(games.num_symbols)
    one, other = _recogniser(spec, games), _recogniser(spec, games)
    for _, symbols in games.play([0, 1, 0], 80):
        assert one.step(symbols, announced=-1) == other.step(symbols[permutation], announced=-1)
    assert one.num_tasks == other.num_tasks == 2


@both
def test_a_longer_debounce_believes_later(spec: FlatInference | FmnInference) -> None:
    late = []
    for debounce in (1, 6):
        games = Games(2)
        recogniser = _recogniser(spec.model_copy(update={"debounce": debounce}), games)
        labels = [recogniser.step(symbols, announced=-1) for _, symbols in games.play([0, 1, 0], 100)]
        late.append(labels[200:].index(0))
    step = spec.window if isinstance(spec, FlatInference) else 1
    assert late[1] - late[0] == 5 * step


@both
def test_a_large_prior_count_finds_fewer_tasks(spec: FlatInference | FmnInference) -> None:
    found = []
    for prior_count in (0.5, 1000.0):
        games = Games(3, num_symbols=20, noise=0.4, seed=2)
        recogniser = _recogniser(spec.model_copy(update={"prior_count": prior_count}), games)
        for _, symbols in games.play([0, 1, 2], 96):
            recogniser.step(symbols, announced=-1)
        found.append(recogniser.num_tasks)
    assert found[0] == 3
    assert found[1] < 3


@both
@pytest.mark.parametrize("damage", ["missing", "unknown", "other symbols"])
def test_a_state_that_does_not_fit_is_refused(spec: FlatInference | FmnInference, damage: str) -> None:
    games, others = Games(1, num_symbols=10), Games(1, num_symbols=11)
    recogniser = _recogniser(spec, others if damage == "other symbols" else games)
    recogniser.step((others if damage == "other symbols" else games).observe(0), announced=-1)
    state = recogniser.state()
    if damage == "missing":
        state.pop("debounce")
    elif damage == "unknown":
        state["other"] = torch.zeros(1)
    with pytest.raises(StateFormatError):
        _recogniser(spec, games).load_state(state)


@pytest.mark.parametrize(
    "spec",
    [
        FlatInference(kind="flat", window=64, debounce=1, prior_count=20.0),
        FmnInference(kind="fmn", min_level=8, prior_count=20.0),
    ],
    ids=["flat", "fmn"],
)
def test_vectors_are_told_apart_by_what_each_entry_does(spec: FlatInference | FmnInference) -> None:
    """Observations of a few entries that follow each other are alike: it takes many, and a prior that is not easily moved."""
    environments = [gymnasium.make("CartPole-v1") for _ in range(8)]
    space = environments[0].observation_space
    assert isinstance(space, gymnasium.spaces.Box)
    frames = [environment.reset(seed=seed)[0] for seed, environment in enumerate(environments)]
    for seed, environment in enumerate(environments):
        environment.action_space.seed(seed)
    recogniser = make_recogniser(spec, num_symbols=4, num_levels=spec.num_levels, seed=0)
    orders, num_steps, last_half = ([0, 1, 2, 3], [1, 0, 3, 2]), 200, []
    for task in (0, 1, 0):
        order = orders[task]
        low, high = space.low[order], space.high[order]
        quantiser = Quantiser((4,), np.dtype(np.float32), num_levels=spec.num_levels, downscale=2, low=low, high=high)
        labels = []
        for _ in range(num_steps):
            for copy, environment in enumerate(environments):
                labels.append(recogniser.step(quantiser(frames[copy][order]), announced=-1))
                frames[copy], _, terminated, truncated, _ = environment.step(environment.action_space.sample())
                if terminated or truncated:
                    frames[copy], _ = environment.reset()
        last_half.append(set(labels[len(labels) // 2 :]))
    assert recogniser.num_tasks == 2
    assert last_half == [{0}, {1}, {0}]
