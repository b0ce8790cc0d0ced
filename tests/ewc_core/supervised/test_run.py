"""Whole jobs in one call."""

from __future__ import annotations

import pytest

from ewc_core.errors import DatasetUnavailable, SpecError
from ewc_core.supervised import run
from tests.ewc_core.supervised.jobs import job, learn_all


def test_a_closed_spec_is_learned_task_by_task() -> None:
    spec = job({"kind": "naive"}, controls=[])
    assert list(run(spec)) == learn_all(spec, [0, 1])[1]


def test_an_open_stream_is_refused() -> None:
    with pytest.raises(SpecError, match=r"'open'.*needs 'closed'"):
        next(run(job(stream="open")))


def test_a_data_set_without_files_is_named() -> None:
    spec = job(tasks=[{"kind": "permuted", "dataset": "mnist"}])
    with pytest.raises(DatasetUnavailable, match="mnist/train-images"):
        next(run(spec))
