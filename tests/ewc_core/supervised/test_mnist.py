"""MNIST, where its files are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ewc_core.data.builtin import load_builtin
from ewc_core.events import Evaluated
from ewc_core.specs import DATASETS, DatasetName, dataset_files_missing
from ewc_core.supervised import run
from tests.ewc_core.supervised.jobs import job

_FOLDER = Path(os.environ["EWC_DATA_DIR"]) if "EWC_DATA_DIR" in os.environ else None

pytestmark = pytest.mark.skipif(
    bool(dataset_files_missing(DatasetName.MNIST, _FOLDER)),
    reason=f"MNIST's IDX files are not in EWC_DATA_DIR ({_FOLDER or 'not set'})",
)


def test_the_files_hold_what_is_announced() -> None:
    source, info = load_builtin(DatasetName.MNIST, _FOLDER), DATASETS[DatasetName.MNIST]
    assert source.train_inputs.shape == (info.num_training_examples, *info.input_shape)
    assert source.test_inputs.shape == (info.num_test_examples, *info.input_shape)
    assert source.train_targets.bincount().tolist()[:3] == [5923, 6742, 5958]


def test_two_permuted_tasks_are_both_remembered() -> None:
    spec = job(
        {"kind": "ewc", "ewc_lambda": 100.0, "fisher_num_examples": 1000},
        network={"hidden_sizes": [100]},
        training={"learning_rate": 0.001, "batch_size": 256},
        tasks=[{"kind": "permuted", "dataset": "mnist", "permutation": index} for index in range(2)],
    )
    last = {event.method: event.scores for event in run(spec, data_dir=_FOLDER) if isinstance(event, Evaluated)}
    assert last["ewc"][0] > 0.85
    assert last["ewc"][1] > 0.85
    assert last["naive"][0] < last["ewc"][0]
