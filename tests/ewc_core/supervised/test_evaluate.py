"""The score of a network on a task, and where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ewc_core.data.as_stored import AsStored
from ewc_core.data.source import DataSource
from ewc_core.data.task_data import Part, TaskData
from ewc_core.events import Evaluated, ZeroShot
from ewc_core.metrics import Measured
from ewc_core.seeding import generator
from ewc_core.specs import LikelihoodName, SupervisedSpec
from ewc_core.supervised import run
from ewc_core.supervised.evaluate import measure, metric_of, score
from ewc_core.supervised.heads import HeadView


def _data(targets: Tensor, likelihood: LikelihoodName = LikelihoodName.GAUSSIAN) -> TaskData:
    inputs = torch.arange(float(len(targets))).unsqueeze(1)
    outputs = targets.shape[1] if targets.ndim == 2 else 2
    source = DataSource(inputs, targets, inputs, targets, likelihood, outputs, None, AsStored("float32"))
    return TaskData(source, {"train": Part(inputs, targets, None), "test": Part(inputs, targets, None)})


class _Says(nn.Module):
    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, inputs: Tensor) -> Tensor:
        return self.outputs[inputs[:, 0].long()]


def _score(outputs: Tensor, data: TaskData) -> float | None:
    return score(_Says(outputs), data, HeadView(0, outputs.shape[1], outputs.shape[1]), split="test")


def test_r_squared_is_1_for_the_targets_0_for_their_mean_and_negative_for_worse() -> None:
    targets = torch.tensor([[0.0, 1.0], [2.0, 5.0], [4.0, 3.0]])
    data = _data(targets)
    assert metric_of(data) == "r2"
    assert _score(targets, data) == 1.0
    assert _score(targets.mean(dim=0).expand(3, 2), data) == 0.0
    assert _score(targets + 2.0, data) == pytest.approx(1.0 - 24.0 / 16.0)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e-30, -3.3e7])
@pytest.mark.parametrize("num_examples", [1, 3, 7, 1000])
def test_r_squared_of_constant_targets_is_undefined_also_where_their_mean_is_rounded(value: float, num_examples: int) -> None:
    targets = torch.full((num_examples, 2), value)
    assert _score(targets, _data(targets)) is None
    assert _score(targets + 1.0, _data(targets)) is None


def test_one_column_that_varies_is_enough() -> None:
    targets = torch.tensor([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]])
    assert _score(targets, _data(targets)) == 1.0


def test_labels_and_signs_have_an_accuracy_also_where_all_are_the_same() -> None:
    labels = torch.zeros(4, dtype=torch.int64)
    data = _data(labels, LikelihoodName.CATEGORICAL)
    assert metric_of(data) == "accuracy"
    assert _score(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), data) == 0.75
    assert _score(torch.ones(4, 2), _data(torch.ones(4, 2), LikelihoodName.BERNOULLI)) == 1.0


@pytest.mark.parametrize(
    ("targets", "likelihood", "chance"),
    [
        (torch.arange(40) % 2, LikelihoodName.CATEGORICAL, 0.25),
        ((torch.arange(160).view(40, 4) % 3 == 0).float(), LikelihoodName.BERNOULLI, 0.5),
        (torch.linspace(0, 1, 160).view(40, 4), LikelihoodName.GAUSSIAN, 0.0),
    ],
)
def test_chance_is_that_of_the_outputs_in_use_and_the_interval_follows_from_the_seed(
    targets: Tensor, likelihood: LikelihoodName, chance: float
) -> None:
    data = _data(targets, likelihood)
    outputs = torch.randn(40, 6, generator=generator(0, "outputs"))
    view = HeadView(1, 5, 6)

    def measured(seed: int) -> Measured:
        return measure(_Says(outputs), data, view, split="test", random=generator(seed, "interval"))

    one = measured(0)
    assert one == measured(0)
    assert (one.score, one.num_examples) == (score(_Says(outputs), data, view, split="test"), 40)
    assert one.chance == chance
    assert one.interval is not None
    assert one.score is not None
    assert one.interval[0] < one.score < one.interval[1]
    assert one.interval != measured(1).interval or likelihood is not LikelihoodName.GAUSSIAN


@pytest.mark.parametrize("num_constant", [1, 2])
def test_a_job_goes_on_without_the_scores_that_are_undefined(tmp_path: Path, num_constant: int) -> None:
    for index in range(2):
        targets = torch.zeros(40, 1) if index < num_constant else torch.linspace(0, 1, 40).unsqueeze(1)
        inputs = torch.linspace(-1, 1, 80).view(40, 2)
        parts = {"inputs": inputs.numpy(), "targets": targets.numpy()}
        arrays = {f"{split}_{name}": array for split in ("train", "test") for name, array in parts.items()}
        np.savez(tmp_path / f"{index}.npz", allow_pickle=False, **arrays)
    dataset = {"kind": "arrays", "likelihood": "gaussian"}
    spec = SupervisedSpec.model_validate(
        {
            "network": {"hidden_sizes": [4]},
            "method": {"kind": "dropout", "patience": 2},
            "training": {"num_epochs": 3, "batch_size": 10, "num_validation_examples": 8, "evaluate_every": 2},
            "tasks": [{"kind": "plain", "dataset": {**dataset, "path": f"{index}.npz"}} for index in range(2)],
        }
    )
    events = list(run(spec, data_dir=tmp_path))
    rows = [sorted(event.scores) for event in events if isinstance(event, Evaluated)]
    assert rows == [[], [1] if num_constant == 1 else []]
    at_first_sight = [event.current.score is None for event in events if isinstance(event, ZeroShot) and event.current]
    assert at_first_sight == [True, num_constant == 2]
