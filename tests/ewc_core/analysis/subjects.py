"""A small network that has learned two permuted digits tasks, as an analysis finds it."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ewc_core.analysis import AnalysisComputation
from ewc_core.consolidation import Constraint
from ewc_core.fisher import FisherInfo, fisher_steps
from ewc_core.generators import finished
from ewc_core.resume import ResumePoint
from ewc_core.specs import AnalysisSpec, DatasetName, EwcMethod, FisherEstimator, MLPSpec, PermutedTask, SupervisedSpec
from ewc_core.supervised.target import SupervisedTarget
from ewc_core.training.stored import Subject
from ewc_core.training.units import Findings, UnitRun

INFO = FisherInfo("exact", "categorical", 128, seed=None)
TASKS = [PermutedTask(dataset=DatasetName.DIGITS, permutation=index) for index in (0, 7)]


@functools.cache
def learned_subject() -> Subject:
    """Task 0, then task 1, without a penalty (λ = 100 in the constraints); the weights are those after task 1."""
    spec = SupervisedSpec(kind="supervised", network=MLPSpec(hidden_sizes=[16]), method=EwcMethod(ewc_lambda=100.0), tasks=TASKS)
    layout_only = replace(_blank(spec), constraints=[])
    target = open_supervised(layout_only)
    constraints = []
    for task in (0, 1):
        optimiser = torch.optim.Adam(target.network.parameters(), lr=0.01)
        inputs, labels = target.data(task).read_range("train", 0, 1000)
        for _ in range(60):
            optimiser.zero_grad()
            functional.cross_entropy(target.network(inputs), labels).backward()  # type: ignore[no-untyped-call]  # untyped in torch
            optimiser.step()
        constraints.append(Constraint(task, exact_fisher_of(target, task, 128), target.parameters.named(), 100.0, INFO))
    return replace(layout_only, constraints=constraints, weights=target.parameters.named())


def _blank(spec: SupervisedSpec) -> Subject:
    from ewc_core.networks import build_network
    from ewc_core.seeding import generator

    network = build_network(spec.network, input_shape=(1, 8, 8), num_outputs=10, generator=generator(0, "network"))
    weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return Subject(spec=spec, tasks=TASKS, constraints=[], weights=weights, own=lambda task: None, data_dir=None)


def exact_fisher_of(target: SupervisedTarget, task: int, num_examples: int) -> dict[str, Tensor]:
    """The exact Fisher on the first training examples of a task."""
    sample = target.sample_of(task, torch.arange(num_examples))
    return finished(
        fisher_steps(
            target.network,
            sample.read,
            num_examples,
            estimator=FisherEstimator.EXACT,
            likelihood=sample.likelihood,
            select=None,
            seed=0,
        )
    )


def analysis(**question: Any) -> AnalysisSpec:
    """The spec of a question."""
    return AnalysisSpec.model_validate({"kind": "analysis", "job_id": "job_x", "question": question})


def open_supervised(subject: Subject) -> SupervisedTarget:
    """The subject with its network built."""
    assert isinstance(subject.spec, SupervisedSpec)
    return SupervisedTarget(subject.spec, subject)


def begin(subject: Subject, *, point: ResumePoint | None = None, **question: Any) -> UnitRun:
    """A question that is not answered yet, or not to its end."""
    return UnitRun.at(AnalysisComputation(analysis(**question), subject), point)


def answered(subject: Subject, **question: Any) -> Findings:
    """Run a question to its end."""
    run = begin(subject, **question)
    assert sum(1 for _ in run.work()) == run.num_steps == run.step
    return run.findings()
