"""Recurrent layers step by step in plain operations, and the closed form that this gives.

At step t a layer of a direction computes its gates from u_t = W_i x_t + b_i and v_t = W_h h_{t−1} + b_h. With δ_t the
gradient at u_t, and ε_t that at v_t, W_i and W_h are Linear layers at as many positions per example as there are steps. RNN
and LSTM add u and v, so ε = δ. A GRU does so for its gates r and z, and has n = tanh(u_n + r ⊙ v_n): ε_n = r ⊙ δ_n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional

from ewc_core.fisher.forms import Squares, WeightAndBias, leading, wide
from ewc_core.fisher.linear import ManyPositions, numbers_at_positions
from ewc_core.fisher.sums import Sums
from ewc_core.fisher.trace import Call

Recurrent = nn.RNN | nn.GRU | nn.LSTM
Note = Callable[[str, Call], None]


@dataclass(frozen=True)
class RecurrentCall(Call):
    """A call of one layer in one direction: `inputs` [n, T, in] and the output's edge are those of all u_t.

    `states` [n, T, hidden] are the h_{t−1}; `resets` [n, T, hidden] the r of a GRU.
    """

    states: Tensor
    resets: Tensor | None


def is_recurrent(module: nn.Module) -> bool:
    """Whether it is a recurrent layer of torch itself, with nobody's own forward pass."""
    return type(module) in (nn.RNN, nn.GRU, nn.LSTM) and "forward" not in vars(module)


def suffixes(module: Recurrent) -> list[str]:
    """How the names of each layer's and direction's parameters end, in torch's order."""
    directions = ("", "_reverse") if module.bidirectional else ("",)
    return [f"l{layer}{direction}" for layer in range(module.num_layers) for direction in directions]


@contextmanager
def in_plain_operations(network: nn.Module) -> Iterator[None]:
    """Inside the block the recurrent layers of the network compute in plain operations."""
    changed = [module for module in network.modules() if isinstance(module, Recurrent) and is_recurrent(module)]
    for module in changed:
        vars(module)["forward"] = partial(plain_forward, module, None)
    try:
        yield
    finally:
        for module in changed:
            vars(module).pop("forward", None)


def plain_forward(module: Recurrent, note: Note | None, input: Tensor, hx: object = None) -> object:  # noqa: A002 (torch's name)
    """What the module's forward pass gives; `note` is told of each layer's and direction's call.

    Packed and unbatched sequences go torch's own way, and so does dropout in training.
    """
    drops = module.training and module.dropout > 0.0
    if not isinstance(input, Tensor) or input.ndim != 3 or input.shape[1 if module.batch_first else 0] == 0 or drops:
        native: Callable[..., object] = type(module).forward
        return native(module, input, hx)
    outputs = input if module.batch_first else input.transpose(0, 1)
    given = (hx,) if isinstance(hx, Tensor) else hx
    last: list[tuple[Tensor, ...]] = []
    names = suffixes(module)
    width = 2 if module.bidirectional else 1
    for start in range(0, len(names), width):
        sides = []
        for number in range(start, start + width):
            initial = None if given is None else tuple(part[number] for part in given)  # type: ignore[attr-defined]  # an LSTM's pair
            ordered = outputs.flip(1) if number > start else outputs
            states, final, call = _run(module, names[number], ordered, initial)
            if note is not None and call is not None:
                note(names[number], call)
            sides.append(states.flip(1) if number > start else states)
            last.append(final)
        outputs = sides[0] if width == 1 else torch.cat(sides, dim=2)
    finals = tuple(torch.stack(parts) for parts in zip(*last, strict=True))
    return (outputs if module.batch_first else outputs.transpose(0, 1)), (finals if isinstance(module, nn.LSTM) else finals[0])


def _run(
    module: Recurrent, suffix: str, inputs: Tensor, initial: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...], RecurrentCall | None]:
    """One layer in one direction: its states [n, T, hidden], the last ones, and the call where it is differentiable."""

    def own(kind: str) -> Any:
        return getattr(module, f"{kind}_{suffix}", None)

    weight_ih, weight_hh, bias_ih, bias_hh = own("weight_ih"), own("weight_hh"), own("bias_ih"), own("bias_hh")
    is_gru = isinstance(module, nn.GRU)
    folded = bias_ih if is_gru or bias_ih is None or bias_hh is None else bias_ih + bias_hh
    pre = functional.linear(inputs, weight_ih, folded)
    # Each once, so that the parameters enter the graph once, however many steps there are.
    across = weight_hh.t()
    bias = bias_hh.view_as(bias_hh) if is_gru and bias_hh is not None else None
    if initial is None:
        size = across.shape[0]
        initial = (inputs.new_zeros(len(inputs), size),)
        if isinstance(module, nn.LSTM):
            initial = (*initial, inputs.new_zeros(len(inputs), module.hidden_size))
    before, states, resets = [], [], []
    now = initial
    for gates in pre.unbind(1):
        before.append(now[0])
        if isinstance(module, nn.LSTM):
            now = _lstm_step(gates + now[0] @ across, now[1], own("weight_hr"))
        elif is_gru:
            state, reset = _gru_step(gates, now[0] @ across if bias is None else torch.addmm(bias, now[0], across), now[0])
            now = (state,)
            resets.append(reset.detach())
        else:
            summed = gates + now[0] @ across
            now = (torch.relu(summed) if module.nonlinearity == "relu" else torch.tanh(summed),)
        states.append(now[0])
    call = None
    if pre.requires_grad:
        call = RecurrentCall(
            inputs.detach(),
            inputs._version,
            pre.shape,
            get_gradient_edge(pre),
            torch.stack([state.detach() for state in before], dim=1),
            torch.stack(resets, dim=1) if resets else None,
        )
    return torch.stack(states, dim=1), now, call


def _lstm_step(gates: Tensor, cell: Tensor, projection: Tensor | None) -> tuple[Tensor, Tensor]:
    i, f, g, o = gates.chunk(4, dim=1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    state = torch.sigmoid(o) * torch.tanh(cell)
    return (state if projection is None else state @ projection.t()), cell


def _gru_step(u: Tensor, v: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    size = state.shape[1]
    reset, update = torch.sigmoid(u[:, : 2 * size] + v[:, : 2 * size]).chunk(2, dim=1)
    new = torch.tanh(u[:, 2 * size :] + reset * v[:, 2 * size :])
    return new + update * (state - new), reset


class _RecurrentSquares:
    """Squares of Σ_t δ_t x_tᵀ and Σ_t ε_t h_{t−1}ᵀ, and of the sums of δ and ε."""

    def __init__(self, of_inputs: Squares, of_states: Squares, resets: Tensor | None) -> None:
        self._of_inputs, self._of_states, self._resets = of_inputs, of_states, resets

    def add(self, delta: Tensor) -> None:
        self._of_inputs.add(delta)
        if self._resets is not None:
            size = self._resets.shape[2]
            delta = torch.cat([delta[..., : 2 * size], delta[..., 2 * size :] * self._resets], dim=2)
        self._of_states.add(delta)

    def finish(self, sums: Sums) -> None:
        self._of_inputs.finish(sums)
        self._of_states.finish(sums)


@dataclass(frozen=True)
class RecurrentForm:
    """One layer in one direction of `nn.RNN`, `nn.GRU` or `nn.LSTM`, on inputs [n, T, in]; the projection is left out."""

    of_inputs: WeightAndBias
    of_states: WeightAndBias

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.of_inputs.parameter_names + self.of_states.parameter_names

    def fits(self, call: Call, num_examples: int) -> bool:
        return leading(call.inputs.shape, num_examples)

    def numbers_per_example(self, call: Call, num_grad_outputs: int) -> int:
        _, steps, gates = call.output_shape
        return sum(
            numbers_at_positions(steps, gates, columns.shape[2], num_grad_outputs)
            for columns in (call.inputs, _recurrent(call).states)
        )

    def squares(self, call: Call, num_grad_outputs: int) -> Squares:
        gates, states, resets = call.output_shape[2], _recurrent(call).states, _recurrent(call).resets
        return _RecurrentSquares(
            ManyPositions(self.of_inputs, call.inputs, gates, num_grad_outputs),
            ManyPositions(self.of_states, wide(states), gates, num_grad_outputs),
            None if resets is None else wide(resets),
        )


def _recurrent(call: Call) -> RecurrentCall:
    if not isinstance(call, RecurrentCall):
        raise AssertionError(f"a recurrent layer was recorded with {type(call).__name__}")
    return call
