"""Minibatches by step number."""

from __future__ import annotations

import torch

from ewc_core.supervised.batches import ShuffledBatches


def _batches(visit: int = 0) -> ShuffledBatches:
    return ShuffledBatches(10, 4, seed=1, path=("shuffle", visit))


def test_every_epoch_shows_every_example_once_and_ends_with_a_short_batch() -> None:
    batches = _batches()
    assert batches.steps_per_epoch == 3
    epochs = [[batches.at(step) for step in range(start, start + 3)] for start in (0, 3)]
    for epoch in epochs:
        assert [len(indices) for indices in epoch] == [4, 4, 2]
        assert sorted(torch.cat(epoch).tolist()) == list(range(10))
    assert not torch.equal(torch.cat(epochs[0]), torch.cat(epochs[1]))


def test_any_step_can_be_asked_for_first() -> None:
    forwards = _batches()
    expected = [forwards.at(step) for step in range(9)]
    for step in (7, 0, 5):
        assert torch.equal(_batches().at(step), expected[step])


def test_visits_have_orders_of_their_own() -> None:
    assert not torch.equal(_batches(0).at(0), _batches(1).at(0))


def test_examples_seen_are_counted_with_repetition() -> None:
    assert [_batches().num_examples_in(steps) for steps in (0, 1, 3, 4, 6)] == [0, 4, 10, 14, 20]
