"""Memory Aware Synapses (Aljundi et al. 2018, arXiv 1711.09601): importance from how strongly the outputs depend on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from ewc_core.errors import NonFiniteError, PluginFailed
from ewc_core.fisher.linear import LinearForm
from ewc_core.fisher.plan import Calls, Plan, make_plan
from ewc_core.fisher.trace import Graph, graph_below, recorded
from ewc_core.fisher.untouched import untouched

DEFAULT_CHUNK_BYTES = 32 * 2**20
MOST_EXAMPLES = 1024
Outputs = Callable[[Mapping[str, Tensor], Tensor], Tensor]
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
    seed 2f; every other parameter has per-example gradients by vmap, as many at a time as `chunk_bytes` holds.
    `read(start, stop)` gives inputs [n, ...] and targets; sums in float64. Yields the number of examples done after each
    chunk. The network runs in eval mode and is left as it was.

    Raises:
        NonFiniteError: an entry is NaN or infinite; the message names the parameter.
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in network.named_parameters()}
    sums = {name: torch.zeros_like(leaf, dtype=torch.float64, requires_grad=False) for name, leaf in leaves.items()}

    def outputs(parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        raw: Tensor = functional_call(network, dict(parameters), (inputs,))
        return raw if select is None else select(raw)

    with untouched(network):
        plan = make_plan(network, leaves)
        for size in (2, 3):  # two sizes: a dimension that equals the number of examples by chance does not do so twice
            first, _ = read(0, 1)
            _forward(plan, outputs, leaves, first[torch.zeros(size, dtype=torch.int64)])
    chunk = _chunk_size(plan, leaves, chunk_bytes)
    for start in range(0, num_examples, chunk):
        stop = min(start + chunk, num_examples)
        inputs, _ = read(start, stop)
        with untouched(network):
            _add_chunk(plan, outputs, leaves, inputs, sums)
        yield stop
    result = {name: (total / num_examples).to(leaves[name].dtype) for name, total in sums.items()}
    for name, tensor in result.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(f"the importance of parameter {name!r} holds NaN or infinity; has training diverged?")
    return result


def _add_chunk(plan: Plan, outputs: Outputs, leaves: Tensors, inputs: Tensor, sums: Tensors) -> None:
    """Add one chunk's absolute gradients to `sums`."""
    result, calls, graph = _forward(plan, outputs, leaves, inputs)
    forms = _closed_forms(plan)
    used = {name: form for name, form in forms.items() if calls[name] and calls[name][0].output_edge.node in graph.nodes}
    if used:
        edges = [calls[name][0].output_edge for name in used]
        deltas = torch.autograd.grad([result], edges, [2.0 * result.detach()])
        for (name, form), delta in zip(used.items(), deltas, strict=True):
            if form.names.weight is not None:
                sums[form.names.weight] += delta.abs().T @ calls[name][0].inputs.abs()
            if form.names.bias is not None:
                sums[form.names.bias] += delta.abs().sum(0)
    del result, calls, graph
    covered = {name for form in forms.values() for name in form.parameter_names}
    others = {name: leaf.detach() for name, leaf in leaves.items() if name not in covered}
    fixed = {name: leaves[name].detach() for name in covered}
    if not others:
        return

    def squared_norm(parameters: Tensors, example: Tensor) -> Tensor:
        return outputs({**fixed, **parameters}, example.unsqueeze(0)).square().sum()

    try:
        # Attention in plain operations, because vmap would run the fused kernel example by example.
        with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
            found = [vmap(grad(squared_norm), in_dims=(None, 0))(others, inputs)]
    except (RuntimeError, TypeError, ValueError, PluginFailed):
        # What vmap cannot trace a loop can run; an error of the network itself appears there again.
        found = [_gradient(squared_norm, others, example) for example in inputs]
    for gradients in found:
        for name, gradient in gradients.items():
            sums[name] += gradient.abs().sum(0)


def _gradient(squared_norm: Callable[[Tensors, Tensor], Tensor], parameters: Tensors, example: Tensor) -> Tensors:
    """One example's gradient by parameter name, with a leading dimension of 1 as vmap's have one of n."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in parameters.items()}
    with torch.enable_grad():
        value = squared_norm(leaves, example)
    gradients = torch.autograd.grad([value], list(leaves.values()), materialize_grads=True)
    return {name: gradient.unsqueeze(0) for name, gradient in zip(leaves, gradients, strict=True)}


def _forward(plan: Plan, outputs: Outputs, leaves: Tensors, inputs: Tensor) -> tuple[Tensor, Calls, Graph]:
    """Outputs, and what the pass showed; layers that it shows to need the general method leave the plan."""
    with torch.enable_grad(), recorded(plan.modules) as calls:
        result = outputs(leaves, inputs)
    graph = graph_below(result, leaves)
    plan.update(calls, graph, len(inputs))
    for name in list(plan.layers):
        if any(call.inputs.ndim != 2 for call in calls[name]):
            del plan.layers[name]
    return result, calls, graph


def _closed_forms(plan: Plan) -> dict[str, LinearForm]:
    return {name: form for name, form in plan.layers.items() if isinstance(form, LinearForm)}


def _chunk_size(plan: Plan, leaves: Tensors, chunk_bytes: int) -> int:
    """Examples per chunk: per-example gradients where there is no closed form, inputs and outputs where there is."""
    forms = _closed_forms(plan).values()
    covered = {name for form in forms for name in form.parameter_names}
    numbers = 2 * sum(leaf.numel() for name, leaf in leaves.items() if name not in covered)
    numbers += sum(3 * (form.module.in_features + form.module.out_features) for form in forms)
    item = max((leaf.element_size() for leaf in leaves.values()), default=1)
    return max(1, min(MOST_EXAMPLES, chunk_bytes // max(1, numbers * item)))
