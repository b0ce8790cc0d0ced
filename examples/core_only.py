"""Elastic weight consolidation without any service: three permuted digits tasks, beside plain training.

python -m examples.core_only
"""

from __future__ import annotations

import torch

from ewc_core.events import Evaluated
from ewc_core.metrics import ScoreMatrix
from ewc_core.specs import DatasetName, EwcMethod, MLPSpec, OptimiserName, PermutedTask, SupervisedSpec, TrainingSpec
from ewc_core.supervised import run

torch.set_num_threads(1)  # the core leaves this to its caller; small networks gain nothing from more

spec = SupervisedSpec(
    seed=0,
    network=MLPSpec(hidden_sizes=[2000]),
    training=TrainingSpec(optimiser=OptimiserName.SGD, learning_rate=1.0, batch_size=32, num_epochs=15),
    method=EwcMethod(ewc_lambda=100.0),
    controls=["naive"],
    tasks=[PermutedTask(dataset=DatasetName.DIGITS, permutation=index) for index in range(3)],
)

scores: dict[str, dict[tuple[int, int], float]] = {method: {} for method in spec.methods}
for event in run(spec):
    if isinstance(event, Evaluated):
        scores[event.method] |= {(event.visit.index, task): score for task, score in event.scores.items()}

for method in spec.methods:
    matrix = ScoreMatrix(scores[method], visited=range(len(spec.tasks)), with_ratios=range(len(spec.tasks)))
    print(f"\n{method}: accuracy on tasks 0, 1, 2 after each task")
    for row in matrix.rows():
        print("  " + "  ".join("  -  " if score is None else f"{score:.3f}" for score in row))
    summary = matrix.summary()
    print(f"  average {summary.average:.3f}, mean forgetting {summary.mean_forgetting:.3f}")
