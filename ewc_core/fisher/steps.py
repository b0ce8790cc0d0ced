"""The Fisher diagonal: per example, for any estimator and likelihood, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from ewc_core.errors import SpecError
from ewc_core.fisher.forms import Squares, wide
from ewc_core.fisher.general import GeneralMethod
from ewc_core.fisher.grad_outputs import make_grad_outputs, needs_targets, num_grad_outputs, num_uniforms
from ewc_core.fisher.memory import DEFAULT_CHUNK_BYTES, ChunkSize, probe
from ewc_core.fisher.outputs import Outputs, tensors_of
from ewc_core.fisher.plan import Plan, make_plan
from ewc_core.fisher.recorded import recorded
from ewc_core.fisher.sums import Sums, at_least_float32
from ewc_core.fisher.trace import graph_below
from ewc_core.fisher.untouched import untouched
from ewc_core.generators import finished
from ewc_core.seeding import generator
from ewc_core.specs import FisherEstimator, LikelihoodName

Read = Callable[[int, int], tuple[Tensor, Tensor]]
Select = Callable[[Tensor], Tensor]


def fisher_steps(
    network: nn.Module,
    read: Read,
    num_examples: int,
    *,
    estimator: FisherEstimator = FisherEstimator.EXACT,
    likelihood: LikelihoodName = LikelihoodName.CATEGORICAL,
    select: Select | None = None,
    seed: int = 0,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
) -> Generator[int, None, dict[str, Tensor]]:
    """F = (1/N) Σ_n Σ_s (∂(sᵀz_n)/∂θ)², by parameter name, at least in float32 (Kirkpatrick et al. 2017).

    A mean over examples of per-example squares; the vectors s of the estimator are in `grad_outputs.py`. `read(start, stop)`
    gives inputs [n, ...] and targets; `select` picks the outputs [n, K] that the likelihood sees, None means all of
    them. Layers with a closed form use it, every other parameter has per-example gradients by vmap or, where vmap
    cannot trace the network, by a loop. Sums of up to 1024 examples have the result's dtype, beyond that float64.
    Working memory is about `chunk_bytes`, or what one example needs, plus 4 bytes per parameter (12 beyond 1024 examples).
    Random labels and signs depend on `seed` and the example's position, not on chunks.

    Yields the number of examples done after each chunk, and returns the Fisher; it is 0 for parameters that the
    outputs do not depend on and for frozen ones (`requires_grad` False). The network must treat examples
    independently in eval mode, which is set only while a chunk is computed; parameters, buffers, `.grad`, modes and
    the global random state are left as they were.

    Raises:
        SpecError: no examples, targets that do not fit, outputs that are not [n, K], an estimator that the likelihood
            does not have, a scripted network, or one whose examples depend on each other.
        NonFiniteError: an entry is NaN or infinite; the message names the parameter.
    """
    if num_examples < 1:
        raise SpecError(f"the Fisher is a mean over examples, and there are {num_examples} of them", field="num_examples")
    job = _Job(estimator, likelihood, Outputs(network, select))
    leaves, fixed = tensors_of(network)
    random = generator(seed, "fisher-labels")
    with untouched(network), torch.enable_grad():
        plan = make_plan(network, leaves)
        size = probe(plan, job.outputs, leaves, fixed, read(0, min(3, num_examples))[0], job.num_grad_outputs, chunk_bytes)
    sums = Sums(leaves)
    general = GeneralMethod(job.outputs)
    for start, stop in size.chunks(num_examples):
        with untouched(network):
            inputs, targets = read(start, stop)
            uniforms = torch.rand(stop - start, job.num_uniforms(size), generator=random, dtype=torch.float64)
            sums.count(stop - start)
            _add_chunk(job, plan, general, size, (leaves, fixed), (inputs, targets, uniforms), sums)
        yield stop
    zeros = {
        name: torch.zeros_like(parameter, dtype=at_least_float32(parameter.dtype))
        for name, parameter in network.named_parameters()
        if name not in leaves
    }
    means = {name: sums.mean(name) for name in leaves}
    return {name: means[name] if name in means else zeros[name] for name, _ in network.named_parameters()}


def fisher(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor | None = None,
    *,
    estimator: FisherEstimator = FisherEstimator.EXACT,
    likelihood: LikelihoodName = LikelihoodName.CATEGORICAL,
    select: Select | None = None,
    seed: int = 0,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
) -> dict[str, Tensor]:
    """`fisher_steps` on tensors, in one call. `targets` may be left out where the estimator does not look at them.

    Raises:
        SpecError: as `fisher_steps`; or targets are needed and missing.
    """
    if targets is None and needs_targets(estimator):
        raise SpecError(f"estimator {estimator.value!r} uses observed targets, and there are none", field="targets")
    seen = inputs if targets is None else targets
    return finished(
        fisher_steps(
            network,
            lambda start, stop: (inputs[start:stop], seen[start:stop]),
            len(inputs),
            estimator=estimator,
            likelihood=likelihood,
            select=select,
            seed=seed,
            chunk_bytes=chunk_bytes,
        )
    )


def exact_fisher(
    network: nn.Module,
    inputs: Tensor,
    *,
    likelihood: LikelihoodName = LikelihoodName.CATEGORICAL,
    select: Select | None = None,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
) -> dict[str, Tensor]:
    """The Fisher under all of the model's own labels: F = (1/N) Σ_n Σ_y p(y|x_n) (∂ log p(y|x_n)/∂θ)²; see `fisher_steps`."""
    return fisher(network, inputs, likelihood=likelihood, select=select, chunk_bytes=chunk_bytes)


@dataclass(frozen=True)
class _Job:
    """What is estimated, of which outputs."""

    estimator: FisherEstimator
    likelihood: LikelihoodName
    outputs: Outputs

    def num_grad_outputs(self, num_outputs: int) -> int:
        return num_grad_outputs(self.estimator, self.likelihood, num_outputs)

    def num_uniforms(self, size: ChunkSize) -> int:
        return num_uniforms(self.estimator, self.likelihood, size.num_outputs)


def _add_chunk(
    job: _Job,
    plan: Plan,
    general: GeneralMethod,
    size: ChunkSize,
    tensors: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    data: tuple[Tensor, Tensor, Tensor],
    sums: Sums,
) -> None:
    """Add one chunk's squared scores to `sums`."""
    (leaves, fixed), (inputs, targets, uniforms) = tensors, data
    with job.outputs.holding({**leaves, **fixed}):
        with torch.enable_grad(), recorded(job.outputs.network, plan.modules) as calls:
            outputs = job.outputs.of(inputs)
        grad_outputs = make_grad_outputs(job.estimator, job.likelihood, outputs.detach(), targets, uniforms.to(outputs.device))
        graph = graph_below(outputs, leaves)
        plan.update(calls, graph, len(inputs))
        collecting = plan.squares(calls, graph, len(grad_outputs))
        if collecting:
            for index, grad_output in enumerate(grad_outputs):
                _add_pass(outputs, grad_output, collecting, retain_graph=index + 1 < len(grad_outputs))
            for _, squares in collecting:
                squares.finish(sums)
    del outputs, graph, calls, collecting
    if plan.general:
        wanted = {name: leaves[name] for name in leaves if name in plan.general}
        others = {name: leaf.detach() for name, leaf in leaves.items() if name not in plan.general}
        general.add(wanted, {**fixed, **others}, inputs, grad_outputs, sums, size.general_examples(plan, leaves))


def _add_pass(
    outputs: Tensor, grad_output: Tensor, collecting: list[tuple[GradientEdge, Squares]], *, retain_graph: bool
) -> None:
    """One backward pass; its gradients are freed before the next one starts, which then finds their memory in the cache."""
    deltas = torch.autograd.grad([outputs], [edge for edge, _ in collecting], [grad_output], retain_graph=retain_graph)
    for (_, squares), delta in zip(collecting, deltas, strict=True):
        squares.add(wide(delta))
