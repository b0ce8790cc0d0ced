"""The networks of a job as they start, each with what trains it."""

from __future__ import annotations

from torch import nn

from ewc_core.networks import DropoutRates, build_network
from ewc_core.seeding import generator
from ewc_core.specs import DropoutMethod, MethodSpec, PenaltyStep, SiMethod, SupervisedSpec
from ewc_core.supervised.early_stopping import EarlyStopping
from ewc_core.supervised.guards import PENALISED
from ewc_core.supervised.learner import Learner
from ewc_core.supervised.task_book import TaskBook


def make_learner(spec: SupervisedSpec, tasks: TaskBook, kind: str) -> Learner:
    """The learner of the job's method, or of a control (`kind` "naive" or "joint"); all start from the same weights."""
    method = spec.method if kind == spec.method.kind else None
    penalised = method if isinstance(method, PENALISED) else None
    rates = DropoutRates(method.input_rate, method.hidden_rate) if isinstance(method, DropoutMethod) else None
    return Learner(
        fresh_network(spec, tasks, rates),
        spec.training,
        penalty_step=PenaltyStep.PROXIMAL if penalised is None else penalised.penalty_step,
        likelihood=tasks.data(0).likelihood,
        follows_path=isinstance(method, SiMethod),
    )


def fresh_network(spec: SupervisedSpec, tasks: TaskBook, dropout: DropoutRates | None = None) -> nn.Module:
    """The network as the job's seed initialises it; dropout does not change the weights."""
    return build_network(
        spec.network,
        input_shape=tasks.input_shape,
        num_outputs=tasks.heads.num_outputs,
        generator=generator(spec.seed, "network"),
        dropout=dropout,
        is_tried=True,  # by the rehearsal, on the job's own data
    )


def new_stopping(method: MethodSpec) -> EarlyStopping | None:
    """What ends a visit early, for the method that has it."""
    return EarlyStopping(method.patience) if isinstance(method, DropoutMethod) else None
