"""How much a training step costs with the merged penalty, against a plain step.

    python -m benchmarks.penalty_step --output penalty_step.json

MLP 784-400-400-10, batch 128, one thread. All variants of one optimiser take turns, step by step, in one run. Times
are medians over blocks of eight steps, so that what the proximal step of Adam computes in every eighth is in them; the
first steps of a visit, which compute it each time, are warm-up. What is claimed: the ratio stays below 1.10 and does not grow
with the number of constraints, because they are merged into one quadratic before training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ewc_core.consolidation import Constraint, merge
from ewc_core.consolidation.proximal import REFRESH_EVERY
from ewc_core.fisher import FisherInfo
from ewc_core.networks import build_network
from ewc_core.seeding import generator
from ewc_core.specs import MLPSpec, OptimiserName, PenaltyStep, TrainingSpec
from ewc_core.supervised.learner import Learner

NUM_FEATURES, NUM_CLASSES, BATCH_SIZE = 784, 10, 128
NUM_CONSTRAINTS = (1, 10, 100)
SPEC = MLPSpec(hidden_sizes=[400, 400])


@dataclass(frozen=True)
class Row:
    """Medians per step of one variant; `ratio` is the median over blocks of its time by the plain step's beside it."""

    optimiser: str
    penalty_step: str
    num_constraints: int
    plain_ms: float
    penalty_ms: float
    ratio: float


def make_learner(optimiser: OptimiserName, step: PenaltyStep) -> Learner:
    """A fresh network; every variant starts from the same weights."""
    network = build_network(SPEC, num_features=NUM_FEATURES, num_classes=NUM_CLASSES, generator=generator(0, "network"))
    training = TrainingSpec(optimiser=optimiser, learning_rate=1e-3, momentum=0.9 if optimiser is OptimiserName.SGD else 0.0)
    return Learner(network, training, penalty_step=step)


def make_constraint(learner: Learner, index: int) -> Constraint:
    """A constraint whose Fisher is heavy-tailed and 0 in a tenth of the entries."""
    random = generator(1, "constraint", index)
    anchor = learner.parameters.named()
    fisher = {name: torch.exp(2 * torch.randn(t.shape, generator=random) - 12) for name, t in anchor.items()}
    fisher = {name: t * (torch.rand(t.shape, generator=random) > 0.1) for name, t in fisher.items()}
    return Constraint(index, fisher, anchor, 100.0, FisherInfo("exact", "categorical", 1000, seed=None))


def measure(optimiser: OptimiserName, num_rounds: int, num_warm_up: int) -> list[Row]:
    """Interleave the plain step and every penalty variant for `num_rounds` rounds."""
    variants: dict[tuple[str, int], Learner] = {("none", 0): make_learner(optimiser, PenaltyStep.PROXIMAL)}
    constraints = [make_constraint(variants["none", 0], index) for index in range(max(NUM_CONSTRAINTS))]
    for count in NUM_CONSTRAINTS:
        for step in PenaltyStep:
            learner = make_learner(optimiser, step)
            learner.set_penalty(merge(constraints[:count], learner.parameters.layout))
            variants[step.value, count] = learner
    del constraints
    inputs = torch.rand(BATCH_SIZE, NUM_FEATURES, generator=generator(2, "inputs"))
    labels = torch.randint(NUM_CLASSES, (BATCH_SIZE,), generator=generator(2, "labels"))
    seconds: dict[tuple[str, int], list[float]] = {key: [] for key in variants}
    keys = list(variants)
    for index in range(num_warm_up + num_rounds):
        for offset in range(len(keys)):
            key = keys[(index + offset) % len(keys)]
            started = time.perf_counter()
            variants[key].step(inputs, labels)
            if index >= num_warm_up:
                seconds[key].append(time.perf_counter() - started)
    return [_row(optimiser, key, seconds[key], seconds["none", 0]) for key in keys if key[1] > 0]


def _row(optimiser: OptimiserName, key: tuple[str, int], seconds: list[float], plain: list[float]) -> Row:
    mine, base = _blocks(seconds), _blocks(plain)
    ratio = statistics.median(one / other for one, other in zip(mine, base, strict=True))
    return Row(optimiser.value, *key, 1e3 * statistics.median(base), 1e3 * statistics.median(mine), ratio)


def _blocks(seconds: list[float]) -> list[float]:
    """Mean seconds per step over consecutive blocks of as many steps as a proximal weight is used for."""
    starts = range(0, len(seconds) - REFRESH_EVERY + 1, REFRESH_EVERY)
    return [statistics.fmean(seconds[start : start + REFRESH_EVERY]) for start in starts]


def main() -> None:
    """Measure, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description="Cost of the merged penalty in a training step.")
    parser.add_argument("--output", type=Path, help="where to write the rows as JSON")
    parser.add_argument("--rounds", type=int, default=320)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for optimiser in OptimiserName for row in measure(optimiser, arguments.rounds, num_warm_up=20)]
    print(f"{'optimiser':10}{'penalty':10}{'constraints':>12}{'plain ms':>10}{'with ms':>10}{'ratio':>8}")
    for row in sorted(rows, key=lambda row: (row.optimiser, row.penalty_step, row.num_constraints)):
        print(
            f"{row.optimiser:10}{row.penalty_step:10}{row.num_constraints:12}{row.plain_ms:10.3f}{row.penalty_ms:10.3f}{row.ratio:8.3f}"
        )
    if arguments.output is not None:
        arguments.output.write_text(
            json.dumps({"torch": torch.__version__, "rows": [asdict(row) for row in rows]}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
