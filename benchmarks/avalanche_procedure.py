"""How much a training step costs with Avalanche's way of penalising, against plain SGD and against the merged penalty.

    python -m benchmarks avalanche_procedure

The procedure, written anew from its description (Avalanche's EWC plug-in, `separate` mode): every task's importances and
parameters are kept apart, and at each step two nested loops, over tasks and over parameters, add
Σ F (θ − θ*)² to the loss, without ½, as part of the autograd graph. MLP 784-400-400-10, batch 128, SGD, one thread; all variants
take turns, step by step, in one run; figures are medians of the ratio to the plain step beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.penalty_step import (
    INPUT_SHAPE,
    NUM_CLASSES,
    SPEC,
    make_batch,
    make_constraint,
    make_learner,
    take_turns,
)
from ewc_core.consolidation import Constraint, merge
from ewc_core.networks import build_network
from ewc_core.seeding import generator
from ewc_core.specs import OptimiserName, PenaltyStep
from ewc_core.supervised.learner import Segment

NUM_TASKS = (1, 10, 50)
LEARNING_RATE, MOMENTUM, EWC_LAMBDA = 1e-3, 0.9, 100.0
NUM_WARM_UP = 3
Step = Callable[[], object]


def looped_penalty(network: nn.Module, stored: Sequence[tuple[dict[str, Tensor], dict[str, Tensor]]]) -> Tensor:
    """Σ_k Σ_parameters Σ F (θ − θ*)² over stored (importances, parameters) of each task; differentiable."""
    penalty = torch.zeros(())
    for importances, anchors in stored:
        for name, parameter in network.named_parameters():
            penalty = penalty + (importances[name] * (parameter - anchors[name]).pow(2)).sum()
    return penalty


def looped_step(constraints: Sequence[Constraint], inputs: Tensor, labels: Tensor) -> Step:
    """One step of torch's own SGD on the loss and the looped penalty; plain SGD without constraints."""
    network = build_network(SPEC, input_shape=INPUT_SHAPE, num_outputs=NUM_CLASSES, generator=generator(0, "network"))
    optimiser = torch.optim.SGD(network.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    stored = [(constraint.fisher, constraint.anchor) for constraint in constraints]

    def step() -> None:
        optimiser.zero_grad()
        loss = functional.cross_entropy(network(inputs), labels)
        if stored:
            loss = loss + EWC_LAMBDA * looped_penalty(network, stored)
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimiser.step()

    return step


def merged_step(constraints: Sequence[Constraint], inputs: Tensor, labels: Tensor) -> Step:
    """One proximal step of the product; plain SGD without constraints."""
    learner = make_learner(OptimiserName.SGD, PenaltyStep.PROXIMAL)
    learner.set_penalty(merge(constraints, learner.parameters.layout))
    segments = [Segment(inputs, labels)]
    return lambda: learner.step(segments)


def held_bytes(constraints: Sequence[Constraint]) -> int:
    """Bytes of all importances and anchors."""
    return sum(t.numel() * t.element_size() for c in constraints for t in [*c.fisher.values(), *c.anchor.values()])


def merged_bytes(constraint: Constraint) -> int:
    """Bytes of the merged precision, its centre and the weight of the proximal step, each as large as the network."""
    return 3 * held_bytes([constraint]) // 2


def measure(num_rounds: int = 30, num_tasks: Sequence[int] = NUM_TASKS) -> dict[str, Any]:
    """A row per number of tasks: both procedures' ratio to plain SGD of their own kind, and the bytes that they hold."""
    anchor = make_learner(OptimiserName.SGD, PenaltyStep.PROXIMAL).parameters.named()
    constraints = [
        make_constraint({name: tensor.clone() for name, tensor in anchor.items()}, index) for index in range(max(num_tasks))
    ]
    batch = make_batch()
    steps: dict[tuple[str, int], Step] = {}
    for count in (0, *num_tasks):
        steps["looped", count] = looped_step(constraints[:count], *batch)
        steps["merged", count] = merged_step(constraints[:count], *batch)
    seconds = take_turns(steps, num_rounds, num_warm_up=NUM_WARM_UP)
    rows = []
    for count in num_tasks:
        row: dict[str, Any] = {"num_tasks": count}
        for name, num_bytes in (("looped", held_bytes(constraints[:count])), ("merged", merged_bytes(constraints[0]))):
            pairs = zip(seconds[name, count], seconds[name, 0], strict=True)
            row[name] = {"ratio": statistics.median(mine / plain for mine, plain in pairs), "bytes": num_bytes}
        rows.append(row)
    plain_ms = {name: 1e3 * statistics.median(seconds[name, 0]) for name in ("looped", "merged")}
    return {"torch": torch.__version__, "plain_ms": plain_ms, "rows": rows}


def run() -> dict[str, Any]:
    """Measure and print the table."""
    torch.set_num_threads(1)
    found = measure()
    print(f"plain SGD: {found['plain_ms']['looped']:.3f} ms (torch), {found['plain_ms']['merged']:.3f} ms (flat)")
    print(f"{'tasks':>6}{'looped ratio':>14}{'MB':>8}{'merged ratio':>14}{'MB':>8}")
    for row in found["rows"]:
        cells = "".join(f"{row[name]['ratio']:14.3f}{row[name]['bytes'] / 1e6:8.1f}" for name in ("looped", "merged"))
        print(f"{row['num_tasks']:6}{cells}")
    return found
