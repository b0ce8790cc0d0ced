"""Warnings about jobs whose penalty cannot do what it is for. Each says why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ewc_core.capacity import NEARLY_USED, Capacity, capacity_warning
from ewc_core.consolidation import Penalty
from ewc_core.data.as_read import TaskRead
from ewc_core.specs import (
    EwcMethod,
    HeadKind,
    JointMethod,
    L2Method,
    LikelihoodName,
    MasMethod,
    MethodSpec,
    OnlineEwcMethod,
    OptimiserName,
    PenaltyStep,
    SiMethod,
    SupervisedSpec,
)
from ewc_core.supervised.heads import HeadView

SMALLEST_SHARE = 1e-3
_MOST_MESSAGES = 3
PENALISED = (EwcMethod, OnlineEwcMethod, L2Method, SiMethod, MasMethod)


@dataclass(frozen=True)
class Guard:
    """What is wrong: a stable code, and a sentence for people."""

    code: str
    message: str


def at_start(spec: SupervisedSpec, visit_index: int, num_seen: int, penalty: Penalty | None) -> list[Guard]:
    """What can be said before a visit in which `num_seen` tasks, its own included, have been seen."""
    is_new = visit_index == 0 if len(spec.tasks) > 1 else num_seen == 2
    found = [class_incremental(spec, max(len(spec.tasks), num_seen)) if is_new else None, unstable_step(spec, penalty)]
    return [guard for guard in found if guard is not None]


def about_data(reads: Mapping[int, TaskRead]) -> list[Guard]:
    """What is suspicious about data, by task index: one warning a code, with the tasks that it is about."""
    found: dict[str, dict[str, list[int]]] = {}
    for task, read in reads.items():
        for warning in read.warnings:
            found.setdefault(warning.code, {}).setdefault(warning.message, []).append(task)
    return [Guard(code, _of_tasks(messages)) for code, messages in found.items()]


def one_output(task_index: int, view: HeadView, likelihood: LikelihoodName) -> Guard | None:
    """A softmax over one output is 1 whatever the network does."""
    if likelihood is not LikelihoodName.CATEGORICAL or view.stop - view.start > 1:
        return None
    return Guard(
        "one_class_learns_nothing",
        f"task {task_index} has one class and one output, whose probability is always 1: its loss is 0, nothing is learned, and "
        "its accuracy is always 1. With heads.kind 'growing' it competes with other tasks' classes, with 'shared' and "
        "heads.num_outputs with those that it lacks",
    )


def gives_probabilities(outputs: Sequence[Tensor], likelihood: LikelihoodName) -> Guard | None:
    """Whether all of these `outputs` [n, K], K >= 2, of a network at several moments are what a softmax leaves."""
    if likelihood is not LikelihoodName.CATEGORICAL or not all(_sum_to_one(some) for some in outputs):
        return None
    return Guard(
        "outputs_are_probabilities",
        "the network's outputs are never negative and sum to 1 for every example, as a softmax leaves them; the loss takes "
        "logits and makes a softmax of its own, so that this network learns slowly and its Fisher is too small: leave out its "
        "last softmax",
    )


def class_incremental(spec: SupervisedSpec, num_tasks: int) -> Guard | None:
    """Growing heads: the penalty keeps old features, but nothing ever shows old and new classes together."""
    if spec.heads.kind is not HeadKind.GROWING or num_tasks < 2 or isinstance(spec.method, JointMethod):
        return None
    return Guard(
        "class_incremental_needs_replay",
        f"heads.kind 'growing' lets the classes of all tasks compete, but method {spec.method.kind!r} never sees old and new "
        "classes in one step: whatever the penalty, new classes win and old tasks fall to about 0. Use heads.kind 'multi' when "
        "the task is known at test time, 'shared' when tasks have the same labels, or method 'joint' (with the old data); "
        "fisher_estimator 'reversed' was proposed for this case",
    )


def without_effect(spec: SupervisedSpec, is_tied: bool, largest_share: float | None) -> Guard | None:
    """After a visit in which a constraint should have tied the network: the pull never reached a thousandth of the data's.
    `is_tied`: there was a penalty."""
    if not isinstance(spec.method, PENALISED):
        return None
    if not is_tied:
        return Guard(
            "penalty_without_effect",
            f"the merged precision is 0 everywhere ({_strength(spec.method)}, or every Fisher is 0): this was plain training",
        )
    if largest_share is None or largest_share >= SMALLEST_SHARE:
        return None
    return Guard(
        "penalty_without_effect",
        f"the pull of the penalty was never more than {largest_share:.1e} of the data gradient in this visit, so it was nearly "
        f"plain training; {_strength(spec.method)} is too small for this Fisher: raise it by orders of magnitude, or search for "
        "it with a sweep",
    )


def unstable_step(spec: SupervisedSpec, penalty: Penalty | None) -> Guard | None:
    """Explicit SGD on the quadratic diverges along coordinate i when lr · P_i >= 2 (1 + momentum)."""
    method, training = spec.method, spec.training
    if penalty is None or not isinstance(method, PENALISED) or method.penalty_step is not PenaltyStep.EXPLICIT:
        return None
    if training.optimiser is not OptimiserName.SGD:
        return None
    step = penalty.explicit_step(training.learning_rate, momentum=training.momentum)
    if not step.is_unstable:
        return None
    return Guard(
        "explicit_step_unstable",
        f"learning_rate times the precision reaches {step.largest:.3g}, and the explicit step diverges from {step.limit:.3g} on "
        f"({step.num_unstable} parameters); use penalty_step 'proximal', or a smaller learning_rate or ewc_lambda",
    )


def nearly_full(used: Capacity) -> Guard | None:
    """Nine tenths of the network are frozen for a task like the one just learned.

    One full layer is no reason to warn: penalties are often strongest in a small layer, and the others learn on. The
    capacity analysis says how full each is.
    """
    message = capacity_warning(used) if used.overall > NEARLY_USED else None
    return None if message is None else Guard("capacity_nearly_used", message)


def _of_tasks(messages: Mapping[str, list[int]]) -> str:
    parts = []
    for message, tasks in list(messages.items())[:_MOST_MESSAGES]:
        more = f" and {len(tasks) - 5} more" if len(tasks) > 5 else ""
        parts.append(f"task{'s' if len(tasks) > 1 else ''} {', '.join(map(str, tasks[:5]))}{more}: {message}")
    rest = len(messages) - len(parts)
    return "; ".join(parts) + (f"; and so on, in {rest} more" if rest > 0 else "")


def _sum_to_one(outputs: Tensor) -> bool:
    sums = outputs.sum(1)
    return outputs.shape[1] > 1 and bool((outputs >= 0.0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def _strength(method: MethodSpec) -> str:
    if isinstance(method, SiMethod | MasMethod):
        return f"strength {method.strength:g}"
    return f"ewc_lambda {method.ewc_lambda:g}" if isinstance(method, EwcMethod | OnlineEwcMethod | L2Method) else "the strength"
