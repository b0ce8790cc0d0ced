"""What a job will do with a plug-in's network, done once when the job is taken up, on copies that are thrown away."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ewc_core.consolidation import Constraint
from ewc_core.errors import EwcError, NonFiniteError, PluginFailed
from ewc_core.generators import finished
from ewc_core.networks.guarded import failed_in, message_start
from ewc_core.networks.plugin import try_out_plugin_network
from ewc_core.networks.tryout import Tryout
from ewc_core.params import ParameterLayout
from ewc_core.seeding import generator
from ewc_core.specs import EwcMethod, MasMethod, OnlineEwcMethod, PenaltyStep, PluginNetworkSpec, SupervisedSpec
from ewc_core.supervised.capacity_used import capacity_guard
from ewc_core.supervised.consolidate import EndOfVisit, consolidation_steps, constraint_book
from ewc_core.supervised.guards import Guard, gives_probabilities
from ewc_core.supervised.learner import Learner, Segment
from ewc_core.supervised.task_book import TaskBook
from ewc_core.user_code import is_raised_by, told

_NUM_EXAMPLES = 3


def rehearse(spec: SupervisedSpec, tasks: TaskBook) -> list[Guard]:
    """Try what the job will do with the network of a plug-in: steps on batches of 1, of the job's size and of every last
    size, the joint control's too, the consolidation of a task on a few examples, and the curvature that is looked at then.
    Returns warnings about what is no mistake for sure.

    Raises:
        PluginFailed: all mistakes at once.
    """
    if not isinstance(spec.network, PluginNetworkSpec):
        return []
    rows = torch.arange(_NUM_EXAMPLES) % tasks.data(0).num_examples("train")
    examples, _ = tasks.data(0).read("train", rows)

    outputs: list[Tensor] = []

    def with_the_job(tryout: Tryout) -> None:
        if not tryout.mistakes:
            outputs.append(_outputs(tryout, examples))
        learner = Learner(tryout.network, spec.training, penalty_step=PenaltyStep.PROXIMAL, likelihood=tasks.data(0).likelihood)
        for batches in _minibatches(spec, tasks):
            _step(tryout, learner, [tasks.segment(task, rows, seen=range(len(spec.tasks))) for task, rows in batches])
        learner.end_steps()  # whose memory consolidation has instead
        if not tryout.mistakes:
            outputs.append(_outputs(tryout, examples))
            _consolidate(tryout, spec, tasks)

    try_out_plugin_network(
        spec.network,
        input_shape=tasks.input_shape,
        num_outputs=tasks.heads.num_outputs,
        generator=generator(spec.seed, "network"),
        examples=examples,
        rehearse=with_the_job,
    )
    guard = gives_probabilities(outputs, tasks.data(0).likelihood)
    return [] if guard is None else [guard]


def _outputs(tryout: Tryout, examples: Tensor) -> Tensor:
    tryout.network.eval()
    with torch.no_grad():
        outputs: Tensor = tryout.network(examples.clone())
    return outputs


def _minibatches(spec: SupervisedSpec, tasks: TaskBook) -> Iterator[list[tuple[int, Tensor]]]:
    """The first and the last minibatch of a pass over each task of the spec, one of 1, and those of the joint control, as
    rows by task; none of a size that came before."""
    shuffled = [(task, tasks.batches(task, "rehearsal")) for task in range(len(spec.tasks))]
    both = [[[(task, some.at(step))] for step in (0, some.steps_per_epoch - 1)] for task, some in shuffled]
    wanted = [[(0, torch.zeros(1, dtype=torch.int64))], *(one for pair in both for one in pair)]
    if "joint" in spec.methods:
        wanted += [[rows for pair in both for rows in pair[position]] for position in (0, 1)]
    by_size = {sum(len(rows) for _, rows in batches): batches for batches in reversed(wanted)}
    yield from by_size.values()


def _step(tryout: Tryout, learner: Learner, segments: list[Segment]) -> None:
    """Passes over the inputs in both modes, and one step."""
    inputs = torch.cat([segment.inputs for segment in segments])
    try:
        for training in (True, False):
            tryout.repeats(inputs, training=training)
        tryout.network.train()
        learner.step(segments)
    except NonFiniteError:
        return  # it may be the learning rate: training tells it, with what to try
    except (Exception, SystemExit) as error:
        if not _is_noted(tryout, error):
            raise


def _consolidate(tryout: Tryout, spec: SupervisedSpec, tasks: TaskBook) -> None:
    """What the method does at the end of a visit, with the first examples of the first task; the curvature after it."""
    match spec.method:
        case EwcMethod() | OnlineEwcMethod():
            few, what = {"fisher_num_examples": _NUM_EXAMPLES}, f"its Fisher ({spec.method.fisher_estimator.value})"
        case MasMethod():
            few, what = {"num_examples": _NUM_EXAMPLES}, "its importance (mas)"
        case _:
            return
    view = tasks.view(0, seen=[0])
    end = EndOfVisit(0, 0, tryout.network, tasks.data(0), view, path=None, latest=None)
    steps = consolidation_steps(spec.model_copy(update={"method": spec.method.model_copy(update=few)}), end)
    constraint: Constraint | None = None
    try:
        constraint = finished(steps)
    except NonFiniteError:
        return
    except (Exception, SystemExit) as error:
        if not _is_noted(tryout, error, what):
            raise
    if constraint is not None:
        book = constraint_book(spec.method, [constraint], latest_task=0)
        try:
            capacity_guard(spec, book, end, ParameterLayout.of(tryout.network))
        except PluginFailed as failed:
            tryout.note(failed)
        except Exception:  # noqa: BLE001 (a diagnostic: not every network has the second derivatives that it looks at)
            return


def _is_noted(tryout: Tryout, error: BaseException, what: str = "") -> bool:
    """Note what is wrong with the network; False for what is wrong with us, an error that our own code raised."""
    prefix = f"{what}: " if what else ""
    failed = error if isinstance(error, EwcError) else failed_in(tryout.network, error)
    if failed is not None:
        tryout.note(f"{prefix}{str(failed).removeprefix(message_start(tryout.name))}")
    elif is_raised_by("torch", error):  # which cannot do with the network what is asked of it
        tryout.note(f"{prefix}torch {told(error)}")
    else:
        return False
    return True
