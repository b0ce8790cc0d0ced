"""How much of a job's network is frozen, with the curvature that its own tasks bring."""

from __future__ import annotations

import math
from dataclasses import asdict

import torch
from torch import Tensor

from ewc_core.analysis.target import HeldTarget
from ewc_core.capacity import capacity_of_precision, capacity_warning, mean_curvature, random_pulls
from ewc_core.errors import SpecError
from ewc_core.seeding import generator
from ewc_core.specs import CapacityAnalysis
from ewc_core.training.units import CurvePoint, Findings

SCORES_PER_STEP = 8


class CapacityRun:
    """The curvature h of the job's consolidated tasks, evenly chosen, at the subject's parameters; a unit is a block of
    scores of one task. A new task is taken to be like them: h is their sum of uᵀFu over their sum of uᵀu, per layer."""

    def __init__(self, question: CapacityAnalysis, seed: int, target: HeldTarget) -> None:
        self._question, self._seed, self._target = question, seed, target
        learned = sorted({constraint.task_index for constraint in target.subject.constraints})
        if not learned:
            raise SpecError("the job has no consolidated task: nothing holds its network", field="job_id")
        count = min(question.max_tasks, len(learned))
        self._tasks = [learned[round(index * (len(learned) - 1) / max(1, count - 1))] for index in range(count)]
        self._sums = torch.zeros(len(target.layers), 2, dtype=torch.float64)
        self._steps_per_task = math.ceil(question.num_scores / SCORES_PER_STEP)
        self.num_steps = self._steps_per_task * len(self._tasks)

    def do(self, step: int) -> None:
        """One block of scores of one task."""
        which, block = divmod(step, self._steps_per_task)
        task = self._tasks[which]
        self._target.select(task, field="job_id")
        sample = self._target.sample(task, self._question.num_examples, seed=self._seed, path=(task,))
        self._sums += random_pulls(
            self._target.network,
            sample.read(0, sample.size)[0],
            self._target.layers,
            num_scores=min(SCORES_PER_STEP, self._question.num_scores - block * SCORES_PER_STEP),
            num_outputs=sample.num_outputs,
            random=generator(self._seed, "scores", task, block),
            likelihood=sample.likelihood,
            select=sample.select,
            num_examples=sample.num_available,
        )

    def tensors(self) -> dict[str, Tensor]:
        """The sums so far."""
        return {"sums": self._sums}

    def findings(self) -> Findings:
        """Shares frozen, `overall` and by layer, the curvature they are set against, and a `warning` or None."""
        parameters, groups = self._target.parameters, self._target.layers
        layout, penalty = parameters.layout, self._target.penalty()
        named = layout.split(torch.zeros(layout.num_parameters)) if penalty is None else penalty.stiffness(layout)
        curvature = mean_curvature(groups, self._sums)
        found = capacity_of_precision(named, curvature)
        layers = {
            layer: {
                "frozen": found.layers[layer],
                "curvature": curvature[layer],
                "mean_precision": float(torch.cat([named[name].reshape(-1) for name in names]).double().mean()),
                "num_parameters": sum(named[name].numel() for name in names),
            }
            for layer, names in groups.items()
        }
        step = self._target.explicit_step(penalty)
        body = {
            "kind": "capacity",
            "tasks": self._tasks,
            "overall": {"frozen": found.overall, "num_parameters": parameters.layout.num_parameters},
            "layers": layers,
            "warning": capacity_warning(found),
            "explicit_step": None if step is None else asdict(step),
        }
        curves = [
            CurvePoint(method=self._target.subject.spec.method.kind, name="frozen", step=depth, value=found.layers[layer])
            for depth, layer in enumerate(groups)
        ]
        return Findings(body, curves)
