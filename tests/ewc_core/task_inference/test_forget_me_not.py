"""The Forget-Me-Not process against its literal description, and what it promises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.task_inference.dirichlet import FactoredDirichlet
from ewc_core.task_inference.forget_me_not import ForgetMeNot
from tests.ewc_core.task_inference.binary_process import binary_process, log_probability, toss_coins
from tests.ewc_core.task_inference.literal_process import LiteralProcess
from tests.ewc_core.task_inference.synthetic_games import Games


def test_published_vector_with_a_pool() -> None:
    process = binary_process(depth=4, pool_size=15)
    assert log_probability(process, "00001111" * 2) == pytest.approx(-9.2702196290, abs=5e-11)
    assert len(process.pool) == 13


@pytest.mark.parametrize(
    ("depth", "min_level", "num", "seed"),
    [(4, 0, 16, 0), (6, 0, 50, 1), (6, 0, 60, 4), (7, 1, 120, 5), (7, 2, 100, 2), (7, 3, 128, 3)],
)
def test_it_is_the_process_that_is_written_down(depth: int, min_level: int, num: int, seed: int) -> None:
    bits, _ = toss_coins(num, seed=seed, num_coins=3, switch_probability=0.1)
    process = binary_process(depth=depth, pool_size=1000, min_level=min_level, reservoir_size=num)
    literal = LiteralProcess(depth, min_level)
    for bit in bits:
        assert log_probability(process, [bit]) == pytest.approx(literal.step(bit), abs=1e-10)
    assert len(process.pool) == len(literal.pool)


@pytest.mark.parametrize("pool_size", [3, 15])
def test_probabilities_of_all_strings_sum_to_one_with_a_pool_that_adapts(pool_size: int) -> None:
    strings = itertools.product((0, 1), repeat=8)
    total = sum(math.exp(log_probability(binary_process(depth=3, pool_size=pool_size), bits)) for bits in strings)
    assert total == pytest.approx(1.0, abs=1e-12)


def test_on_seven_coins_it_is_better_than_partitions_alone_and_far_better_than_one_coin() -> None:
    bits, true = toss_coins(1500, seed=1)
    counts, kt = [0.5, 0.5], 0.0
    for bit in bits:
        kt += math.log(counts[bit] / sum(counts))
        counts[bit] += 1
    partitions = log_probability(binary_process(depth=11, pool_size=0), bits)
    process = log_probability(binary_process(depth=11, pool_size=15, min_level=5), bits)
    assert true - process < true - partitions < 0.5 * (true - kt)
    assert true - process < 60.0


def test_a_source_that_returns_costs_little_more_than_to_name_it() -> None:
    games = Games(2, num_symbols=40, seed=3)
    process = _process(games, depth=10, pool_size=8)
    losses = [[-process.step(symbols) for _, symbols in games.play([game], 128)] for game in (0, 1, 0)]
    extra = sum(losses[2][:32]) - sum(losses[2][96:])
    assert extra < 0.1 * (sum(losses[0][:32]) - sum(losses[0][96:]))


def test_a_capacity_is_kept_and_no_lineage_pushes_another_out() -> None:
    games = Games(3, num_symbols=40, seed=4)
    process = _process(games, depth=12, pool_size=5, lineage_size=3)
    for _, symbols in games.play([0, 1, 2, 2, 2], 256):
        process.step(symbols)
        slots = process.pool.slots
        assert len(slots) <= 5
        assert np.bincount(process.pool.lineage_of(slots), minlength=1).max() <= 3
    lineages = process.pool.lineage_of(process.pool.slots)
    for game in range(3):
        statistics = process.pool.statistics[process.pool.slots]
        example = np.stack([games.observe(game) for _ in range(10)])
        best = FactoredDirichlet(40, 8, prior_count=1.0).log_likelihoods_of_all(statistics, example).sum(axis=0).argmax()
        process.step(example[0])
        assert int(lineages[best]) == game


def test_a_mixture_that_lets_go_of_the_hopeless_is_as_good_as_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    totals = []
    for limit in (1e3, 1e12):
        monkeypatch.setattr("ewc_core.task_inference.mixture._MAX_NATS_BEHIND", limit)
        games = Games(3, num_symbols=100, seed=5)
        process = _process(games, depth=10, pool_size=8)
        totals.append(sum(process.step(symbols) for _, symbols in games.play([0, 1, 2, 0, 2, 1], 120)))
    assert totals[0] == pytest.approx(totals[1], rel=1e-9)


def test_its_work_grows_with_the_logarithm_of_time_and_with_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    original = FactoredDirichlet.log_likelihoods

    def count(self: FactoredDirichlet, rows: np.ndarray) -> np.ndarray:
        counted.append(len(rows))
        return original(self, rows)

    monkeypatch.setattr(FactoredDirichlet, "log_likelihoods", count)
    bits, _ = toss_coins(1024, seed=0, switch_probability=0.02)
    log_probability(binary_process(depth=20, pool_size=7, min_level=4), bits)
    assert 0 < max(counted) <= (7 + 1) * (10 + 1)


def test_a_process_goes_on_from_its_state_to_the_bit() -> None:
    bits, _ = toss_coins(700, seed=2, switch_probability=0.02)
    process, other = (binary_process(depth=9, pool_size=4, min_level=3, reservoir_size=8, seed=seed) for seed in (1, 2))
    log_probability(process, bits[:333])
    other.load_state(process.state())
    assert [log_probability(process, [bit]) for bit in bits[333:]] == [log_probability(other, [bit]) for bit in bits[333:]]
    assert all(torch.equal(process.state()[name], tensor) for name, tensor in other.state().items())


def test_another_seed_draws_other_reservoirs() -> None:
    bits, _ = toss_coins(700, seed=2, switch_probability=0.02)
    first, second = (binary_process(depth=9, pool_size=4, min_level=3, reservoir_size=4, seed=seed) for seed in (1, 2))
    log_probability(first, bits)
    log_probability(second, bits)
    assert not torch.equal(first.state()["mixtures.samples"], second.state()["mixtures.samples"])


@pytest.mark.parametrize("missing", ["random", "pool.order", "mixtures.slots", "tree.sums"])
def test_a_state_with_a_part_missing_is_refused(missing: str) -> None:
    process = binary_process(depth=3, pool_size=2)
    log_probability(process, "0110")
    state = process.state()
    state.pop(missing)
    with pytest.raises(StateFormatError):
        binary_process(depth=3, pool_size=2).load_state(state)


def test_a_state_of_more_levels_or_other_symbols_is_refused() -> None:
    games = Games(1, num_symbols=3)
    other = _process(games, depth=3, pool_size=2)
    other.step(games.observe(0))
    with pytest.raises(StateFormatError):
        binary_process(depth=3, pool_size=2).load_state(other.state())
    with pytest.raises(StateFormatError):
        _process(games, depth=4, pool_size=2).load_state(other.state())


def _process(games: Games, *, depth: int, pool_size: int, lineage_size: int = 4) -> ForgetMeNot:
    return ForgetMeNot(
        FactoredDirichlet(games.num_symbols, games.num_levels, prior_count=1.0),
        depth=depth,
        pool_size=pool_size,
        lineage_size=lineage_size,
        min_level=4,
        reservoir_size=32,
        random=torch.Generator().manual_seed(0),
    )
