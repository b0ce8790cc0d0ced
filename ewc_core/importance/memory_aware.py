"""Memory Aware Synapses (Aljundi et al. 2018, arXiv 1711.09601): importance from how strongly the outputs depend on it."""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ewc_core.errors import NonFiniteError

DEFAULT_CHUNK_BYTES = 32 * 2**20


def memory_aware_steps(
    network: nn.Module,
    read: Callable[[int, int], tuple[Tensor, Tensor]],
    num_examples: int,
    *,
    select: Callable[[Tensor], Tensor] | None = None,
    chunk_bytes: int = DEFAULT_CHUNK_BYTES,
) -> Generator[int, None, dict[str, Tensor]]:
    """Ω = (1/N) Σ_n |∂ ‖f(x_n)‖² / ∂θ| by parameter name, in the parameters' dtype.

    f are the outputs (logits) that `select` chooses, all of them without it.

    The absolute value is taken per example, then the mean; no label is used. Their penalty is strength · Σ Ω (θ − θ*)²,
    without ½: a precision of 2 · strength · Ω, Ω summed over tasks. `read(start, stop)` gives inputs [n, ...] and targets;
    per-example gradients by vmap in chunks of about `chunk_bytes`, or what one example needs; sums in float64. Yields the
    number of examples done after each chunk. The network runs in eval mode and is left as it was.

    Raises:
        NonFiniteError: an entry is NaN or infinite; the message names the parameter.
    """
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    sums = {name: torch.zeros_like(parameter, dtype=torch.float64) for name, parameter in parameters.items()}

    def squared_norm(parameters: dict[str, Tensor], example: Tensor) -> Tensor:
        outputs: Tensor = functional_call(network, parameters, (example.unsqueeze(0),))
        return (outputs if select is None else select(outputs)).square().sum()

    per_example = vmap(grad(squared_norm), in_dims=(None, 0))
    bytes_each = 2 * sum(parameter.numel() * parameter.element_size() for parameter in parameters.values())
    chunk = max(1, chunk_bytes // max(1, bytes_each))
    for start in range(0, num_examples, chunk):
        stop = min(start + chunk, num_examples)
        inputs, _ = read(start, stop)
        modes = [(module, module.training) for module in network.modules()]
        network.eval()
        try:
            gradients = per_example(parameters, inputs)
        finally:
            for module, training in modes:
                module.training = training
        for name, gradient in gradients.items():
            sums[name] += gradient.abs_().sum(0)
        yield stop
    result = {name: (total / num_examples).to(parameters[name].dtype) for name, total in sums.items()}
    for name, tensor in result.items():
        if not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(f"the importance of parameter {name!r} holds NaN or infinity; has training diverged?")
    return result
