"""The pool: versions of entries, lineages, and who has to go."""

from __future__ import annotations

import numpy as np
import pytest

from ewc_core.task_inference.dirichlet import FactoredDirichlet
from ewc_core.task_inference.pool import FRESH, Learned, Pool

PREDICTOR = FactoredDirichlet(1, 2, prior_count=0.5)


def _learned(num_seen: int, level: int = 0) -> Learned:
    """A predictor that has seen the same level `num_seen` times."""
    statistics = PREDICTOR.empty(1)[0]
    statistics[level] = statistics[-1] = num_seen
    return Learned(statistics, np.full((min(num_seen, 4), 1), level, dtype=np.uint8), num_seen)


def _pool(capacity: int, lineage_size: int = 100) -> Pool:
    return Pool(PREDICTOR, capacity=capacity, lineage_size=lineage_size, sample_size=4)


def _num_seen(pool: Pool) -> list[int]:
    return [pool.learned(int(slot)).num_seen for slot in pool.slots]


def test_entries_are_kept_in_the_order_in_which_they_came_and_a_replacement_takes_its_place() -> None:
    pool = _pool(5)
    assert [pool.add(_learned(number), None, in_use=[]) for number in (1, 2, 3)] == [0, 1, 2]
    pool.replace(int(pool.slots[1]), _learned(7), in_use=[])
    assert _num_seen(pool) == [1, 7, 3]
    assert pool.lineage_of(pool.slots).tolist() == [0, 1, 2]
    assert pool.lineage_of(np.array([FRESH])).tolist() == [-1]
    assert not pool.statistics[FRESH].any()


def test_a_version_in_use_is_never_overwritten_and_leads_to_its_successor() -> None:
    pool = _pool(5)
    pool.add(_learned(1), None, in_use=[])
    old = int(pool.slots[0])
    for number in range(2, 30):
        pool.replace(int(pool.slots[0]), _learned(number), in_use=[old])
    assert pool.learned(old).num_seen == 1
    assert pool.successor(old) == pool.slots[0]
    assert _num_seen(pool) == [29]
    assert len(pool.statistics) < 12, "slots that nobody uses are used again"


def test_a_dropped_entry_has_no_successor_and_neither_has_the_fresh_one() -> None:
    pool = _pool(1)
    pool.add(_learned(1), None, in_use=[])
    first = int(pool.slots[0])
    pool.add(_learned(2), None, in_use=[first])
    pool.trim()
    assert _num_seen(pool) == [2]
    assert pool.successor(first) is None
    assert pool.successor(FRESH) is None


def test_the_largest_lineage_gives_up_the_entry_that_has_learned_least() -> None:
    pool = _pool(3)
    first = pool.add(_learned(1), None, in_use=[])
    second = pool.add(_learned(50), None, in_use=[])
    pool.add(_learned(40), second, in_use=[])
    pool.add(_learned(60), second, in_use=[])
    pool.trim()
    assert _num_seen(pool) == [1, 50, 60]
    assert first != second


def test_among_lineages_of_one_entry_the_one_that_has_learned_least_goes() -> None:
    pool = _pool(2)
    for number in (9, 3, 5):
        pool.add(_learned(number), None, in_use=[])
    pool.trim()
    assert _num_seen(pool) == [9, 5]


def test_a_lineage_keeps_to_its_size_even_when_there_is_room() -> None:
    pool = _pool(10, lineage_size=2)
    lineage = pool.add(_learned(5), None, in_use=[])
    for number in (4, 6):
        pool.add(_learned(number), lineage, in_use=[])
    pool.trim()
    assert _num_seen(pool) == [5, 6]


def test_a_pool_without_capacity_stays_empty() -> None:
    pool = _pool(0)
    pool.add(_learned(1), None, in_use=[])
    pool.trim()
    assert len(pool) == 0


def test_what_is_learned_is_a_copy_that_predicts_what_it_has_seen() -> None:
    pool = _pool(2)
    learned = _learned(6, level=1)
    pool.add(learned, None, in_use=[])
    learned.statistics[:] = 0
    kept = pool.learned(int(pool.slots[0]))
    assert kept.sample.tolist() == [[1]] * 4
    log_p = PREDICTOR.log_likelihoods_of_all(kept.statistics[None], np.array([[1]], dtype=np.uint8))
    assert float(log_p[0, 0]) == pytest.approx(np.log(6.5 / 7.0), rel=1e-5)
