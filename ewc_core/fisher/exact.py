"""The exact Fisher diagonal: per example, over all labels weighted by the model, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ewc_core.errors import NonFiniteError
from ewc_core.fisher.linear import closed_form_layers, parameter_names, traced
from ewc_core.likelihoods import fisher_seeds

DEFAULT_CHUNK_BYTES = 32 * 2**20
ReadInputs = Callable[[int, int], Tensor]


def exact_fisher(network: nn.Module, inputs: Tensor, *, chunk_bytes: int = DEFAULT_CHUNK_BYTES) -> dict[str, Tensor]:
    """Exact Fisher diagonal of a classifier on `inputs` [N, ...]; see `exact_fisher_steps`."""
    steps = exact_fisher_steps(network, lambda start, stop: inputs[start:stop], len(inputs), chunk_bytes=chunk_bytes)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            result: dict[str, Tensor] = finished.value
            return result


def exact_fisher_steps(
    network: nn.Module, read: ReadInputs, num_examples: int, *, chunk_bytes: int = DEFAULT_CHUNK_BYTES
) -> Generator[int, None, dict[str, Tensor]]:
    """F = (1/N) Σ_n Σ_c p(c|x_n) (∂ log p(c|x_n) / ∂θ)², by parameter name, in the parameters' dtype (Kirkpatrick et al. 2017).

    A mean over examples of per-example squares under the model's own labels; sums are kept in float64. Linear layers
    use their closed form, every other parameter per-example gradients by vmap. `read(start, stop)` gives inputs;
    working memory is about `chunk_bytes`, or what one example needs. Yields the number of examples done after each
    chunk, and returns the Fisher. The network must treat examples independently in eval mode, which is set only
    while a chunk is computed; parameters, `.grad`, modes and the global generator are left as they were.

    Raises:
        NonFiniteError: an entry is NaN or infinite; the message names the parameter.
    """
    leaves = {name: parameter.detach().requires_grad_() for name, parameter in network.named_parameters()}
    sums = {name: torch.zeros(leaf.shape, dtype=torch.float64) for name, leaf in leaves.items()}
    with _evaluation_mode(network), torch.enable_grad():
        probe = read(0, min(3, num_examples))
        layers = closed_form_layers(network, leaves, probe)
        num_classes = functional_call(network, leaves, (probe,)).shape[1]
    closed = {name for layer_name, layer in layers.items() for name in parameter_names(layer_name, layer)}
    others = {name: leaf.detach() for name, leaf in leaves.items() if name not in closed}
    chunk = _chunk_size(layers, others, num_classes, chunk_bytes)
    for start in range(0, num_examples, chunk):
        stop = min(start + chunk, num_examples)
        with _evaluation_mode(network):
            _add_chunk(network, leaves, layers, others, read(start, stop), sums)
        yield stop
    return {name: _finished(name, total / num_examples, leaves[name].dtype) for name, total in sums.items()}


def _add_chunk(
    network: nn.Module,
    leaves: dict[str, Tensor],
    layers: dict[str, nn.Linear],
    others: dict[str, Tensor],
    inputs: Tensor,
    sums: dict[str, Tensor],
) -> None:
    """Add one chunk's squared scores to `sums`."""
    with torch.enable_grad(), traced(layers) as traces:
        logits = functional_call(network, leaves, (inputs,))
    seeds = fisher_seeds(logits)
    if layers:
        edges = [traces[name][0].output_edge for name in layers]
        deltas = torch.autograd.grad([logits], edges, [seeds], is_grads_batched=True)
        for (name, layer), delta in zip(layers.items(), deltas, strict=True):
            squared = delta.square().sum(0)
            names = parameter_names(name, layer)
            sums[names[0]] += squared.T @ traces[name][0].squared_inputs
            if len(names) == 2:
                sums[names[1]] += squared.sum(0)
    if others:
        fixed = {name: leaf.detach() for name, leaf in leaves.items() if name not in others}
        _add_general(network, others, fixed, inputs, seeds, sums)


def _add_general(
    network: nn.Module,
    others: dict[str, Tensor],
    fixed: dict[str, Tensor],
    inputs: Tensor,
    seeds: Tensor,
    sums: dict[str, Tensor],
) -> None:
    """Per-example gradients of Σ_k seed_k z_k by `others`, one class at a time; works for any module."""

    def seeded(parameters: dict[str, Tensor], example: Tensor, seed: Tensor) -> Tensor:
        logits: Tensor = functional_call(network, {**fixed, **parameters}, (example.unsqueeze(0),))
        return (logits[0] * seed).sum()

    per_example = vmap(grad(seeded), in_dims=(None, 0, 0))
    for seed in seeds:
        for name, gradients in per_example(others, inputs, seed).items():
            sums[name] += gradients.square().sum(0)


def _chunk_size(layers: dict[str, nn.Linear], others: dict[str, Tensor], num_classes: int, chunk_bytes: int) -> int:
    """Examples per chunk: the deltas of all classes and their squares, the layers' inputs, the per-example gradients."""
    numbers = sum(2 * num_classes * layer.out_features + 2 * layer.in_features for layer in layers.values())
    numbers += 2 * sum(leaf.numel() for leaf in others.values())
    sizes = [layer.weight.element_size() for layer in layers.values()] + [leaf.element_size() for leaf in others.values()]
    return max(1, chunk_bytes // max(1, numbers * max(sizes, default=1)))


def _finished(name: str, mean: Tensor, dtype: torch.dtype) -> Tensor:
    result = mean.to(dtype)
    if not bool(torch.isfinite(result).all()):
        raise NonFiniteError(f"the Fisher of parameter {name!r} holds NaN or infinity; has training diverged?")
    return result


@contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; each module's own mode afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
