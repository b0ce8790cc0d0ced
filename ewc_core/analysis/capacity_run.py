"""How much of a job's network is frozen, with the curvature that its own tasks bring."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ewc_core.analysis.subject import OpenedSubject, chosen_examples
from ewc_core.capacity import capacity_of_precision, capacity_warning, pull_and_power
from ewc_core.consolidation.stability import ExplicitStep
from ewc_core.errors import SpecError
from ewc_core.fisher.seeds import num_seeds
from ewc_core.layers import by_layer
from ewc_core.seeding import generator
from ewc_core.specs import CapacityAnalysis, FisherEstimator, OptimiserName
from ewc_core.training.units import CurvePoint, Findings

SCORES_PER_STEP = 8


class CapacityRun:
    """The curvature h of the job's consolidated tasks, evenly chosen, at the subject's parameters; a unit is a block of
    scores of one task. A new task is taken to be like them: h is their sum of uᵀFu over their sum of uᵀu, per layer."""

    def __init__(self, question: CapacityAnalysis, seed: int, opened: OpenedSubject) -> None:
        self._question, self._seed, self._opened = question, seed, opened
        learned = sorted({constraint.task_index for constraint in opened.subject.constraints})
        if not learned:
            raise SpecError("the job has no consolidated task: nothing holds its network", field="job_id")
        count = min(question.max_tasks, len(learned))
        self._tasks = [learned[round(index * (len(learned) - 1) / max(1, count - 1))] for index in range(count)]
        self._groups = by_layer(opened.parameters.layout.names)
        self._sums = torch.zeros(len(self._groups), 2, dtype=torch.float64)
        self._steps_per_task = math.ceil(question.num_scores / SCORES_PER_STEP)
        self.num_steps = self._steps_per_task * len(self._tasks)

    def do(self, step: int) -> None:
        """One block of scores of one task."""
        which, block = divmod(step, self._steps_per_task)
        task = self._tasks[which]
        data, view = self._opened.data(task, field="job_id"), self._opened.view(task)
        indices = chosen_examples(data, self._question.num_examples, self._seed, "examples", task).sort().values
        inputs, _ = self._opened.reader(task, data, indices)(0, len(indices))
        size = num_seeds(FisherEstimator.EXACT, data.likelihood, view.stop - view.start)
        random = generator(self._seed, "scores", task, block)
        draws = []
        for _ in range(min(SCORES_PER_STEP, self._question.num_scores - block * SCORES_PER_STEP)):
            example = int(torch.randint(len(indices), (), generator=random))
            draws.append((example, 2.0 * torch.randint(2, (size,), generator=random) - 1.0))
        self._sums += pull_and_power(
            self._opened.network,
            inputs,
            draws,
            self._groups,
            likelihood=data.likelihood,
            select=view.select,
            num_examples=data.num_examples("train"),
        )

    def tensors(self) -> dict[str, Tensor]:
        """The sums so far."""
        return {"sums": self._sums}

    def findings(self) -> Findings:
        """Shares frozen, `overall` and by layer, the curvature they are set against, and a `warning` or None."""
        parameters, spec = self._opened.parameters, self._opened.spec
        layout, penalty = parameters.layout, self._opened.penalty()
        named = layout.split(torch.zeros(layout.num_parameters)) if penalty is None else penalty.stiffness(layout)
        pairs = zip(self._groups, self._sums.tolist(), strict=True)
        curvature = {layer: pull / power if power > 0.0 else 0.0 for layer, (pull, power) in pairs}
        found = capacity_of_precision(named, curvature)
        layers = {
            layer: {
                "frozen": found.layers[layer],
                "curvature": curvature[layer],
                "mean_precision": float(torch.cat([named[name].reshape(-1) for name in names]).double().mean()),
                "num_parameters": sum(named[name].numel() for name in names),
            }
            for layer, names in self._groups.items()
        }
        rate, momentum = spec.training.learning_rate, spec.training.momentum
        step = ExplicitStep.nothing(momentum=momentum) if penalty is None else penalty.explicit_step(rate, momentum=momentum)
        is_sgd = spec.training.optimiser is OptimiserName.SGD
        body = {
            "kind": "capacity",
            "tasks": self._tasks,
            "overall": {"frozen": found.overall, "num_parameters": parameters.layout.num_parameters},
            "layers": layers,
            "warning": capacity_warning(found),
            "explicit_step": {"largest": step.largest, "limit": step.limit, "num_unstable": step.num_unstable}
            if is_sgd
            else None,
        }
        curves = [
            CurvePoint(method=spec.method.kind, name="frozen", step=depth, value=found.layers[layer])
            for depth, layer in enumerate(self._groups)
        ]
        return Findings(body, curves)
