"""Memory Aware Synapses (Aljundi et al. 2018, arXiv 1711.09601): importance from how strongly the outputs depend on it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import torch
from torch import Tensor, nn

from ewc_core.errors import NonFiniteError
from ewc_core.fisher.forms import wide
from ewc_core.fisher.general import GeneralMethod
from ewc_core.fisher.linear import LinearForm
from ewc_core.fisher.memory import DEFAULT_CHUNK_BYTES, ChunkSize, probe
from ewc_core.fisher.outputs import Outputs, tensors_of
from ewc_core.fisher.plan import Plan, make_plan
from ewc_core.fisher.recorded import recorded
from ewc_core.fisher.trace import graph_below
from ewc_core.fisher.untouched import untouched

Tensors = dict[str, Tensor]


def memory_aware_steps(
    network: nn.Module,
    read: Callable[[int, int], tuple[Tensor, Tensor]],
    num_examples: int,
    *,
    select: Callable[[Tensor], Tensor] | None = None,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
) -> Generator[int, None, dict[str, Tensor]]:
    """Ω = (1/N) Σ_n |∂ ‖f(x_n)‖² / ∂θ| by parameter name, in the parameters' dtype.

    f are the outputs (logits) that `select` chooses, all of them without it. The absolute value is taken per example, then
    the mean; no label is used. Their penalty is strength · Σ Ω (θ − θ*)², without ½: a precision of 2 · strength · Ω, Ω
    summed over tasks. A Linear that each example passes through once has the closed form Σ_n |δ_n|ᵀ|a_n|, δ from the
    seed 2f; every other parameter has per-example gradients, as the Fisher's general method makes them. Working memory is
    about `chunk_bytes`, or what one example needs. `read(start, stop)` gives inputs [n, ...] and targets; sums in float64.
    Yields the number of examples done after each chunk. The network runs in eval mode and is left as it was; Ω of frozen
    parameters is 0.

    Raises:
        SpecError: outputs that are not [n, K], or that depend on the other examples of a batch; a scripted network.
        NonFiniteError: an entry is NaN or infinite; the message names the parameter.
    """
    leaves, fixed = tensors_of(network)
    sums = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in network.named_parameters()}
    outputs = Outputs(network, select)
    with untouched(network), torch.enable_grad():
        plan = make_plan(network, leaves)
        plan.keep(LinearForm)
        size = probe(plan, outputs, leaves, fixed, read(0, min(3, num_examples))[0], lambda _: 1, chunk_bytes)
    general = GeneralMethod(outputs, torch.abs)
    for start, stop in size.chunks(num_examples):
        inputs, _ = read(start, stop)
        with untouched(network):
            _add_chunk(plan, general, size, outputs, (leaves, fixed), inputs, sums)
        yield stop
    result = {name: (sums[name] / num_examples).to(parameter.dtype) for name, parameter in network.named_parameters()}
    for name, tensor in result.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(f"the importance of parameter {name!r} holds NaN or infinity; has training diverged?")
    return result


def _add_chunk(
    plan: Plan,
    general: GeneralMethod,
    size: ChunkSize,
    outputs: Outputs,
    tensors: tuple[Tensors, Tensors],
    inputs: Tensor,
    sums: Mapping[str, Tensor],
) -> None:
    """Add one chunk's absolute gradients to `sums`."""
    leaves, fixed = tensors
    with outputs.holding({**leaves, **fixed}):
        with torch.enable_grad(), recorded(outputs.network, plan.modules) as calls:
            result = outputs.of(inputs)
        graph = graph_below(result, leaves)
        plan.update(calls, graph, len(inputs))
        for name in list(plan.layers):
            if any(call.inputs.ndim != 2 for call in calls[name]):
                plan.generalise(name, graph)
        seed = 2.0 * result.detach()
        used = {
            name: form
            for name, form in plan.layers.items()
            if isinstance(form, LinearForm) and calls[name] and calls[name][0].output_edge.node in graph.nodes
        }
        if used:
            deltas = torch.autograd.grad([result], [calls[name][0].output_edge for name in used], [seed])
            for (name, form), delta in zip(used.items(), deltas, strict=True):
                size_of = wide(delta).abs()
                if form.names.weight is not None:
                    sums[form.names.weight].add_(size_of.T @ wide(calls[name][0].inputs).abs())
                if form.names.bias is not None:
                    sums[form.names.bias].add_(size_of.sum(0))
    del result, calls, graph
    if plan.general:
        wanted = {name: leaves[name] for name in leaves if name in plan.general}
        others = {name: leaf.detach() for name, leaf in leaves.items() if name not in plan.general}
        general.add(wanted, {**fixed, **others}, inputs, seed.unsqueeze(0), sums, size.general_examples(plan, leaves))
