"""Partition tree weighting against summing over all partitions."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from ewc_core.errors import StateFormatError
from ewc_core.task_inference.ptw import PartitionTree
from tests.ewc_core.task_inference.binary_process import binary_process, log_probability

BITS = "1011001110001101"
VECTORS = {
    1: (-0.6931471806, -0.6931471806),
    2: (-2.0188169199, -2.0794415417),
    3: (-2.7119641004, -2.7725887222),
    5: (-4.2068923025, -4.4465651558),
    8: (-6.3373036362, -6.5905452186),
    13: (-10.3092291378, -10.4999674424),
    16: (-12.5439386421, -12.5928923344),
}


def _kt(bits: str) -> float:
    ones = bits.count("1")
    zeros = len(bits) - ones
    return math.lgamma(zeros + 0.5) + math.lgamma(ones + 0.5) - math.lgamma(len(bits) + 1) - math.log(math.pi)


def _partitions(depth: int, start: int = 0) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """(number of bits of its name, segments) of every binary partition of 2^depth observations."""
    length = 1 << depth
    yield (0 if depth == 0 else 1), [(start, start + length)]
    if depth > 0:
        for left_bits, left in _partitions(depth - 1, start):
            for right_bits, right in _partitions(depth - 1, start + length // 2):
                yield 1 + left_bits + right_bits, left + right


def _summed_over_partitions(bits: str, depth: int) -> float:
    logs = [
        -num_bits * math.log(2) + sum(_kt(bits[start:end]) for start, end in segments)
        for num_bits, segments in _partitions(depth)
    ]
    return float(np.logaddexp.reduce(logs))


@pytest.mark.parametrize("num", range(1, 17))
def test_it_is_the_sum_over_all_partitions(num: int) -> None:
    tree = binary_process(depth=4, pool_size=0)
    assert log_probability(tree, BITS[:num]) == pytest.approx(_summed_over_partitions(BITS[:num], 4), abs=1e-12)


@pytest.mark.parametrize("num", VECTORS)
def test_published_vectors(num: int) -> None:
    weighted, alone = VECTORS[num]
    assert log_probability(binary_process(depth=4, pool_size=0), BITS[:num]) == pytest.approx(weighted, abs=5e-11)
    assert _kt(BITS[:num]) == pytest.approx(alone, abs=5e-11)


def test_published_vectors_of_strings_with_a_switch() -> None:
    assert log_probability(binary_process(depth=4, pool_size=0), "0" * 8 + "1" * 8) == pytest.approx(-5.0115525001, abs=5e-11)
    # Printed as -8.7466576579; the sum over all partitions below says that two digits of it are wrong.
    assert log_probability(binary_process(depth=4, pool_size=0), "00001111" * 2) == pytest.approx(-8.7466574879, abs=5e-11)
    assert _summed_over_partitions("00001111" * 2, 4) == pytest.approx(-8.7466574879, abs=5e-11)


def test_after_the_last_observation_of_a_tree_another_begins() -> None:
    tree = binary_process(depth=2, pool_size=0)
    expected = sum(_summed_over_partitions(part, 2) for part in ("1011", "0011", "10"))
    assert log_probability(tree, "1011001110") == pytest.approx(expected, abs=1e-12)
    assert tree.tree.log_probability == pytest.approx(expected, abs=1e-12)


def test_the_level_posterior_is_that_of_the_partitions() -> None:
    bits, depth = "0000110", 3
    process = binary_process(depth=depth, pool_size=0)
    log_probability(process, bits)
    expected = np.zeros(depth + 1)
    for num_bits, segments in _partitions(depth):
        start, end = next((start, end) for start, end in segments if start <= len(bits) - 1 < end)
        log_p = -num_bits * math.log(2) + sum(_kt(bits[first:last]) for first, last in segments)
        expected[depth - (end - start).bit_length() + 1] += math.exp(log_p)
    posterior = process.tree.level_posterior(process.log_segments)
    np.testing.assert_allclose(posterior, expected / expected.sum(), atol=1e-12)
    assert posterior.sum() == pytest.approx(1.0, abs=1e-12)


def test_a_state_of_another_depth_is_refused() -> None:
    with pytest.raises(StateFormatError, match="depth 4"):
        PartitionTree(4).load_state(PartitionTree(5).state())
