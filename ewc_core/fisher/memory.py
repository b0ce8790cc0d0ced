"""How many examples fit into a chunk: what autograd keeps for one example is measured, not guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ewc_core.errors import SpecError
from ewc_core.fisher.independence import COMPANIES, check_outputs
from ewc_core.fisher.outputs import Outputs
from ewc_core.fisher.plan import Plan
from ewc_core.fisher.recorded import recorded
from ewc_core.fisher.trace import Call, graph_below
from ewc_core.fisher.untouched import attributes_kept, random_state_kept, uncompiled

DEFAULT_CHUNK_BYTES = 80 * 2**20
MOST_EXAMPLES = 512
Passed = TypeVar("Passed")


@dataclass(frozen=True)
class ChunkSize:
    """Examples per chunk, and what one example keeps in memory during a forward pass of the general method, in bytes."""

    examples: int
    num_outputs: int
    general_bytes: int
    chunk_bytes: int

    def chunks(self, num_examples: int) -> Iterator[tuple[int, int]]:
        """(start, stop) of as few chunks as possible, nearly equal ones: a short last chunk would be a slow one."""
        num_chunks = ceil(num_examples / self.examples)
        bounds = [index * num_examples // num_chunks for index in range(num_chunks + 1)]
        return pairwise(bounds)

    def general_examples(self, plan: Plan, leaves: Mapping[str, Tensor]) -> int:
        """Examples whose gradients by the general method, and their squares, fit into the chunk's memory."""
        gradients = sum(2 * leaf.nbytes for name, leaf in leaves.items() if name in plan.general)
        return max(1, self.chunk_bytes // max(1, gradients + 2 * self.general_bytes))


def probe(
    plan: Plan,
    outputs: Outputs,
    leaves: Mapping[str, Tensor],
    fixed: Mapping[str, Tensor],
    examples: Tensor,
    num_grad_outputs: Callable[[int], int],
    chunk_bytes: int,
) -> ChunkSize:
    """Run 2 and 3 of the examples [<= 3, ...], settle the plan and the chunk size.

    Raises:
        SpecError: outputs that are not floating point [n, K], or that depend on the other examples of a batch.
    """

    def run(inputs: Tensor) -> tuple[Tensor, Mapping[str, list[Call]]]:
        with outputs.holding({**leaves, **fixed}), recorded(outputs.network, plan.modules) as calls:
            return outputs.of(inputs), calls

    passes, companies = [], [examples[torch.tensor(numbers, device=examples.device) % len(examples)] for numbers in COMPANIES]
    for inputs in companies:
        with random_state_kept(leaves.values()):
            (result, calls), kept = _kept(partial(run, inputs))
        _check(result, len(inputs))
        graph = graph_below(result, leaves)
        plan.update(calls, graph, len(inputs))
        passes.append((result.detach(), calls, kept))
    (few, few_calls, few_kept), (more, more_calls, more_kept) = passes
    check_outputs(few, more)
    plan.compare(few_calls, more_calls, graph)
    num_outputs = result.shape[1]
    item = max((max(4, leaf.element_size()) for leaf in leaves.values()), default=4)
    per_example = (
        plan.numbers_per_example(calls, num_grad_outputs(num_outputs)) + (2 + num_grad_outputs(num_outputs)) * num_outputs
    )
    forward = max(0, more_kept - few_kept) + inputs[:1].nbytes
    each = forward + per_example * item
    general = forward
    if plan.general:
        with random_state_kept(leaves.values()), sdpa_kernel(SDPBackend.MATH):  # as that method runs it
            fewer, whole = (_kept(partial(run, inputs))[1] for inputs in companies)
        general = max(forward, whole - fewer + inputs[:1].nbytes)
    return ChunkSize(max(1, min(MOST_EXAMPLES, chunk_bytes // max(1, each))), num_outputs, general, chunk_bytes)


def examples_at_once(network: nn.Module, examples: Tensor, *, most: int, chunk_bytes: int = DEFAULT_CHUNK_BYTES) -> int:
    """How many examples like `examples` [>= 1, ...] one pass may take for about `chunk_bytes`: 1 to `most`."""
    return max(1, min(most, chunk_bytes // max(1, bytes_at_once(network, examples))))


def bytes_at_once(network: nn.Module, examples: Tensor) -> int:
    """What one more example takes in a pass over examples like `examples` [>= 1, ...].

    An example is taken to need twice what autograd would keep of it, or twice the largest output of a module, and its inputs
    three times, which are read, converted and transformed. It follows from the shapes of network and inputs alone, so that
    chunks, and with them the last bits of sums, are the same on every machine. The network is left as it was.
    """
    sizes: list[int] = []
    for numbers in COMPANIES:
        inputs = examples[torch.tensor(numbers, device=examples.device) % len(examples)]
        with random_state_kept([examples]), attributes_kept(network), torch.enable_grad(), uncompiled():
            outputs = [0]
            for module in network.modules():
                if not isinstance(module, torch.jit.ScriptModule):  # which takes no hooks
                    # What a checkpoint does not keep, or no backward pass needs, is seen here.
                    module.register_forward_hook(lambda module, inputs, output, seen=outputs: seen.append(_nbytes(output)))
            _, kept = _kept(partial(network, inputs))
        sizes.append(max(kept, max(outputs)))
    few, more = sizes
    return 2 * max(0, more - few) + 3 * examples[:1].nbytes


def _nbytes(output: object) -> int:
    parts = output if isinstance(output, tuple | list) else [output]
    return sum(part.nbytes for part in parts if isinstance(part, Tensor))


def _kept(forward: Callable[[], Passed]) -> tuple[Passed, int]:
    """What a forward pass gives, and the bytes that autograd keeps of it: 0 where that cannot be watched."""
    try:
        with _saved() as storages:
            return forward(), sum(storages.values())
    except Exception:  # noqa: BLE001 (torch.func inside a network refuses the hooks; an error of its own comes again)
        return forward(), 0


@contextmanager
def _saved() -> Iterator[dict[int, int]]:
    """Bytes of every storage that autograd keeps for the backward pass of what runs inside the block, by address."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # the tensor itself would keep its own graph alive

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield storages


def _check(result: object, num_examples: int) -> None:
    if isinstance(result, Tensor) and result.ndim == 2 and len(result) == num_examples and result.is_floating_point():
        return
    seen = f"{result.dtype} {list(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
    raise SpecError(
        f"the network gave {seen} for {num_examples} examples, expected floating point [{num_examples}, outputs]", field="network"
    )
