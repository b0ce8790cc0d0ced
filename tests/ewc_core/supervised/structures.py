"""Networks of every structure that users build, offered as plug-ins: inputs [n, 24], six steps of four features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import orthogonal, weight_norm
from torch.utils.checkpoint import checkpoint

WIDTH, STEPS, FEATURES = 6, 6, 4


def tiny(options: Mapping[str, Any]) -> dict[str, Tensor]:
    """A data set of three classes."""
    random = torch.Generator().manual_seed(7)
    inputs = torch.randn(33, STEPS * FEATURES, generator=random)
    targets = inputs[:, :3].argmax(1)
    return {
        "train_inputs": inputs[:24],
        "train_targets": targets[:24],
        "test_inputs": inputs[24:],
        "test_targets": targets[24:],
    }


class _Of(nn.Module):
    """A network whose forward pass is a function of its parts."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **parts: Any) -> None:
        super().__init__()
        self._forward_of = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, inputs: Tensor) -> Tensor:
        return self._forward_of(self, inputs)


def _sequence(inputs: Tensor) -> Tensor:
    return inputs.view(-1, STEPS, FEATURES)


def _first() -> nn.Linear:
    return nn.Linear(STEPS * FEATURES, WIDTH)


def _head() -> nn.Linear:
    return nn.Linear(WIDTH, 3)


def two_names() -> nn.Module:
    first = _first()
    return _Of(lambda it, x: it.body(x), first=first, body=nn.Sequential(first, nn.Tanh(), _head()))


def three_names() -> nn.Module:
    first, head = _first(), _head()
    body = nn.Sequential(first, nn.Sequential(nn.Tanh(), head))
    return _Of(lambda it, x: it.body(x), first=first, listed=nn.ModuleList([head, first]), body=body)


def names_in_a_dictionary() -> nn.Module:
    first, head = _first(), _head()
    parts = nn.ModuleDict({"first": first, "again": first, "head": head})
    return _Of(lambda it, x: it.parts["head"](torch.tanh(it.parts["again"](x))), parts=parts, head=head)


def a_network_inside_itself() -> nn.Module:
    inner = nn.Sequential(_first(), nn.Tanh(), _head())
    return _Of(lambda it, x: it.inner(x) + it.middle[0](x), inner=inner, middle=nn.Sequential(nn.Sequential(*inner)))


def called_twice() -> nn.Module:
    middle = nn.Linear(WIDTH, WIDTH)
    return _Of(
        lambda it, x: it.head(torch.tanh(it.middle(torch.tanh(it.middle(it.first(x)))))),
        first=_first(),
        middle=middle,
        head=_head(),
    )


def tied_and_transposed() -> nn.Module:
    def forward(it: Any, x: Tensor) -> Tensor:
        return it.head(it.first(functional.linear(torch.tanh(it.first(x)), it.first.weight.T)))

    return _Of(forward, first=_first(), head=_head())


def one_weight_for_two_layers() -> nn.Module:
    left, right = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
    right.weight = left.weight
    return _Of(
        lambda it, x: it.head(torch.tanh(it.right(torch.tanh(it.left(it.first(x)))))),
        first=_first(),
        left=left,
        right=right,
        head=_head(),
    )


def one_bias_for_two_layers() -> nn.Module:
    left, right = _first(), _first()
    right.bias = left.bias
    return _Of(lambda it, x: it.head(torch.relu(it.left(x)) * torch.sigmoid(it.right(x))), left=left, right=right, head=_head())


def an_embedding_that_is_also_the_head() -> nn.Module:
    table, head = nn.Embedding(3, WIDTH), nn.Linear(WIDTH, 3, bias=False)
    head.weight = table.weight
    return _Of(lambda it, x: it.head(torch.tanh(it.table((x > 0).long() + (x > 1).long()).mean(1))), table=table, head=head)


def attention() -> nn.Module:
    def forward(it: Any, x: Tensor) -> Tensor:
        tokens = it.embed(_sequence(x))
        return it.head(it.attention(tokens, tokens, tokens, need_weights=False)[0].mean(1))

    part = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
    return _Of(forward, embed=nn.Linear(FEATURES, WIDTH), attention=part, head=_head())


def a_transformer_whose_block_is_used_twice() -> nn.Module:
    block = nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=8, dropout=0.0, batch_first=True)
    return _Of(
        lambda it, x: it.head(it.blocks(it.embed(_sequence(x)))[:, 0]),
        embed=nn.Linear(FEATURES, WIDTH),
        blocks=nn.Sequential(block, block),
        head=_head(),
    )


def _last_state(layer: nn.RNNBase, **parts: Any) -> nn.Module:
    return _Of(lambda it, x: it.head(it.layer(_sequence(x))[0][:, -1]), layer=layer, **parts)


def gru_under_two_names() -> nn.Module:
    layer = nn.GRU(FEATURES, WIDTH, batch_first=True)
    return _last_state(layer, again=layer, head=_head())


def lstm_in_both_directions() -> nn.Module:
    return _last_state(nn.LSTM(FEATURES, 3, num_layers=2, bidirectional=True, batch_first=True), head=_head())


def rnn_cell() -> nn.Module:
    def forward(it: Any, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), WIDTH)
        for step in _sequence(x).unbind(1):
            state = it.cell(step, state)
        return it.head(state)

    return _Of(forward, cell=nn.GRUCell(FEATURES, WIDTH), head=_head())


def layer_norm() -> nn.Module:
    return nn.Sequential(_first(), nn.LayerNorm(WIDTH), nn.GELU(), nn.RMSNorm(WIDTH), _head())


def group_norm() -> nn.Module:
    def forward(it: Any, x: Tensor) -> Tensor:
        return it.head(it.norm(it.convolution(_sequence(x).transpose(1, 2))).flatten(1))

    return _Of(forward, convolution=nn.Conv1d(FEATURES, 4, 3), norm=nn.GroupNorm(2, 4), head=nn.Linear(16, 3))


class KeptInEvalMode(nn.Module):
    """An owner that trains with the statistics that its BatchNorm has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.head = _first(), nn.BatchNorm1d(WIDTH), _head()

    def train(self, mode: bool = True) -> KeptInEvalMode:
        super().train(mode)
        self.norm.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.norm(self.first(inputs)))
        return outputs


def weight_normed() -> nn.Module:
    return nn.Sequential(weight_norm(_first()), nn.Tanh(), _head())


def orthogonal_weights() -> nn.Module:
    return nn.Sequential(_first(), nn.Tanh(), orthogonal(nn.Linear(WIDTH, WIDTH)), nn.Tanh(), _head())


def checkpointed() -> nn.Module:
    body = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH))
    return _Of(
        lambda it, x: it.head(checkpoint(it.body, torch.tanh(it.first(x)), use_reentrant=False)),
        first=_first(),
        body=body,
        head=_head(),
    )


def checkpointed_reentrantly() -> nn.Module:
    body = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH))

    def forward(it: Any, x: Tensor) -> Tensor:
        hidden = torch.tanh(it.first(x))
        return it.head(checkpoint(it.body, hidden, use_reentrant=True) if hidden.requires_grad else it.body(hidden))

    return _Of(forward, first=_first(), body=body, head=_head())


def listed_parameters() -> nn.Module:
    def forward(it: Any, x: Tensor) -> Tensor:
        return it.head(torch.tanh(x @ it.listed[0] + it.named["shift"]) * it.named["gain"]) + it.listed[1]

    listed = nn.ParameterList([nn.Parameter(0.1 * torch.ones(STEPS * FEATURES, WIDTH)), nn.Parameter(torch.zeros(3))])
    named = nn.ParameterDict({"shift": nn.Parameter(torch.zeros(WIDTH)), "gain": nn.Parameter(torch.ones(WIDTH))})
    return _Of(forward, listed=listed, named=named, head=_head())


def shortened_embedding() -> nn.Module:
    table = nn.Embedding(3, WIDTH, max_norm=1.0)
    return _Of(lambda it, x: it.head(torch.tanh(it.table((x > 0).long()).sum(1))), table=table, head=_head())


def gradient_inside() -> nn.Module:
    """Hidden features by a derivative inside the forward pass: torch.func takes no hooks on what autograd keeps."""

    def forward(it: Any, x: Tensor) -> Tensor:
        energy = torch.func.grad(lambda at: it.first(at).tanh().sum())
        return it.head(torch.func.vmap(energy)(x)[:, :WIDTH])

    return _Of(forward, first=_first(), head=_head())


STRUCTURES: dict[str, Callable[[], nn.Module]] = {
    make.__name__: make
    for make in (
        two_names,
        three_names,
        names_in_a_dictionary,
        a_network_inside_itself,
        called_twice,
        tied_and_transposed,
        one_weight_for_two_layers,
        one_bias_for_two_layers,
        an_embedding_that_is_also_the_head,
        attention,
        a_transformer_whose_block_is_used_twice,
        gru_under_two_names,
        lstm_in_both_directions,
        rnn_cell,
        layer_norm,
        group_norm,
        KeptInEvalMode,
        weight_normed,
        orthogonal_weights,
        checkpointed,
        checkpointed_reentrantly,
        listed_parameters,
        shortened_embedding,
        gradient_inside,
    )
}


def network(input_shape: tuple[int, ...], num_outputs: int, options: Mapping[str, Any]) -> nn.Module:
    """The structure that the options name."""
    return STRUCTURES[options["structure"]]()
