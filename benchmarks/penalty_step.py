"""How much a training step costs with the merged penalty, against a plain step.

    python -m benchmarks penalty_step

MLP 784-400-400-10, batch 128, one thread. All variants of one optimiser take turns, step by step, in one run. Times
are medians over blocks of eight steps, so that what the adaptive proximal steps compute in every eighth is in them; the
first steps of a visit, which compute it each time, are warm-up. What is claimed: the ratio does not grow with the number
of constraints, because they are merged into one quadratic before training.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from ewc_core.consolidation import Constraint, merge
from ewc_core.consolidation.proximal import REFRESH_EVERY
from ewc_core.fisher import FisherInfo
from ewc_core.networks import build_network
from ewc_core.seeding import generator
from ewc_core.specs import MLPSpec, OptimiserName, PenaltyStep, TrainingSpec
from ewc_core.supervised.learner import Learner, Segment

INPUT_SHAPE, NUM_CLASSES, BATCH_SIZE = (1, 28, 28), 10, 128
NUM_CONSTRAINTS = (1, 10, 100)
NUM_WARM_UP = 20
SPEC = MLPSpec(hidden_sizes=[400, 400])
Key = TypeVar("Key", bound=Hashable)


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
    network = build_network(SPEC, input_shape=INPUT_SHAPE, num_outputs=NUM_CLASSES, generator=generator(0, "network"))
    training = TrainingSpec(optimiser=optimiser, learning_rate=1e-3, momentum=0.9 if optimiser is OptimiserName.SGD else 0.0)
    return Learner(network, training, penalty_step=step)


def make_constraint(anchor: dict[str, Tensor], index: int) -> Constraint:
    """A constraint whose Fisher is heavy-tailed and 0 in a tenth of the entries."""
    random = generator(1, "constraint", index)
    fisher = {name: torch.exp(2 * torch.randn(t.shape, generator=random) - 12) for name, t in anchor.items()}
    fisher = {name: t * (torch.rand(t.shape, generator=random) > 0.1) for name, t in fisher.items()}
    return Constraint(index, fisher, anchor, 100.0, FisherInfo("exact", "categorical", 1000, seed=None))


def make_batch() -> tuple[Tensor, Tensor]:
    """One minibatch of random images and labels."""
    inputs = torch.rand(BATCH_SIZE, *INPUT_SHAPE, generator=generator(2, "inputs"))
    return inputs, torch.randint(NUM_CLASSES, (BATCH_SIZE,), generator=generator(2, "labels"))


def take_turns(steps: Mapping[Key, Callable[[], object]], num_rounds: int, *, num_warm_up: int) -> dict[Key, list[float]]:
    """Seconds of every step of every variant; each round starts with another variant."""
    seconds: dict[Key, list[float]] = {key: [] for key in steps}
    keys = list(steps)
    for index in range(num_warm_up + num_rounds):
        for offset in range(len(keys)):
            key = keys[(index + offset) % len(keys)]
            started = time.perf_counter()
            steps[key]()
            if index >= num_warm_up:
                seconds[key].append(time.perf_counter() - started)
    return seconds


def measure(
    num_rounds: int = 320,
    optimisers: Sequence[OptimiserName] = tuple(OptimiserName),
    num_constraints: Sequence[int] = NUM_CONSTRAINTS,
) -> dict[str, Any]:
    """Rows of every optimiser, and the bytes of precision, centre and proximal weight, whatever the number of tasks."""
    rows = [row for optimiser in optimisers for row in _measure(optimiser, num_rounds, num_constraints)]
    num_parameters = make_learner(OptimiserName.SGD, PenaltyStep.PROXIMAL).parameters.layout.num_parameters
    return {
        "torch": torch.__version__,
        "num_parameters": num_parameters,
        "merged_bytes": 3 * 4 * num_parameters,
        "rows": [asdict(row) for row in rows],
    }


def _measure(optimiser: OptimiserName, num_rounds: int, num_constraints: Sequence[int]) -> list[Row]:
    """Interleave the plain step and every penalty variant for `num_rounds` rounds."""
    learners: dict[tuple[str, int], Learner] = {("none", 0): make_learner(optimiser, PenaltyStep.PROXIMAL)}
    anchor = learners["none", 0].parameters.named()
    constraints = [make_constraint(anchor, index) for index in range(max(num_constraints))]
    for count in num_constraints:
        for step in PenaltyStep:
            learner = make_learner(optimiser, step)
            learner.set_penalty(merge(constraints[:count], learner.parameters.layout))
            learners[step.value, count] = learner
    del constraints
    segments = [Segment(*make_batch())]
    steps = {key: (lambda learner=learner: learner.step(segments)) for key, learner in learners.items()}  # type: ignore[misc]  # a lambda with a default has no inferred type
    seconds = take_turns(steps, num_rounds, num_warm_up=NUM_WARM_UP)
    return [_row(optimiser, key, seconds[key], seconds["none", 0]) for key in steps if key[1] > 0]


def _row(optimiser: OptimiserName, key: tuple[str, int], seconds: list[float], plain: list[float]) -> Row:
    mine, base = _blocks(seconds), _blocks(plain)
    ratio = statistics.median(one / other for one, other in zip(mine, base, strict=True))
    return Row(optimiser.value, *key, 1e3 * statistics.median(base), 1e3 * statistics.median(mine), ratio)


def _blocks(seconds: list[float]) -> list[float]:
    """Mean seconds per step over consecutive blocks of as many steps as a proximal weight is used for."""
    starts = range(0, len(seconds) - REFRESH_EVERY + 1, REFRESH_EVERY)
    return [statistics.fmean(seconds[start : start + REFRESH_EVERY]) for start in starts]


def run() -> dict[str, Any]:
    """Measure and print the table."""
    torch.set_num_threads(1)
    found = measure()
    print(f"{'optimiser':10}{'penalty':10}{'constraints':>12}{'plain ms':>10}{'with ms':>10}{'ratio':>8}")
    for row in sorted(found["rows"], key=lambda row: (row["optimiser"], row["penalty_step"], row["num_constraints"])):
        print(
            f"{row['optimiser']:10}{row['penalty_step']:10}{row['num_constraints']:12}"
            f"{row['plain_ms']:10.3f}{row['penalty_ms']:10.3f}{row['ratio']:8.3f}"
        )
    return found
