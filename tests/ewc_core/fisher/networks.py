"""Networks of every kind that the Fisher meets, in float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network in float64 and eval mode, with parameters and statistics drawn from a seed."""
    generator = torch.Generator().manual_seed(seed)
    network = network.double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        for name, buffer in network.named_buffers():
            if buffer.is_floating_point():
                value = torch.rand(buffer.shape, generator=generator, dtype=torch.float64)
                buffer.copy_(value + 0.5 if name.endswith("running_var") else value)
    return network


class Reused(nn.Module):
    """One Linear applied twice per example."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)
        self.head = nn.Linear(6, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.tanh(self.inner(torch.tanh(self.inner(inputs)))))
        return logits


class Tied(nn.Module):
    """A Linear whose weight is used once more, without the module."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 5)
        self.head = nn.Linear(6, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.tanh(self.encoder(inputs))
        logits: Tensor = self.head(torch.tanh(functional.linear(hidden, self.encoder.weight.T)))
        return logits


class SharedModule(nn.Module):
    """Two Linear modules that share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        self.second.weight = self.first.weight

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.tanh(self.second(torch.tanh(self.first(inputs)))))
        return logits


class Positions(nn.Module):
    """A Linear applied at three positions of each example, and a learned query as long as a likely batch."""

    def __init__(self) -> None:
        super().__init__()
        self.per_position = nn.Linear(2, 3)
        self.query = nn.Parameter(torch.zeros(2, 3))
        self.of_query = nn.Linear(3, 3)
        self.head = nn.Linear(9, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        scale = self.of_query(self.query).sum(0)
        hidden = torch.tanh(self.per_position(inputs.reshape(-1, 3, 2)) * scale)
        logits: Tensor = self.head(hidden.flatten(1))
        return logits


class Gain(nn.Module):
    """The paper's form: (Wx + b) ⊙ g."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(6, 5), nn.Linear(5, 4)
        self.gain = nn.Parameter(torch.ones(5))

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.relu(self.inner(inputs) * self.gain))
        return logits


class Residual(nn.Module):
    """A block whose input is added, in place, to its output; and one that shifts and scales by bare parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 4)
        self.shift, self.scale, self.unbroadcast = (nn.Parameter(torch.ones(*shape)) for shape in ((6,), (1, 1), (1, 6)))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.first(inputs)
        hidden += torch.relu(self.second(torch.tanh(hidden)))
        hidden = torch.tanh(self.scale * (hidden - self.shift) * self.unbroadcast)
        logits: Tensor = self.head(hidden)
        return logits


class Attention(nn.Module):
    """A class token, a position code, and one encoder block with the library's attention."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(2, 4), nn.Linear(4, 4)
        self.token, self.position = nn.Parameter(torch.ones(1, 1, 4)), nn.Parameter(torch.ones(4, 4))
        self.block = nn.TransformerEncoderLayer(4, 2, dim_feedforward=5, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.embed(inputs.reshape(-1, 3, 2))
        tokens = torch.cat([self.token.expand(len(tokens), -1, -1), tokens], dim=1) + self.position
        logits: Tensor = self.head(self.block(tokens)[:, 0])
        return logits


class TimeFirst(nn.Module):
    """A Linear that sees positions in dimension 0 and examples in dimension 1."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(2, 3), nn.Linear(3, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.tanh(self.inner(inputs.reshape(-1, 3, 2).transpose(0, 1))).sum(0))
        return logits


class Recurrent(nn.Module):
    """The library's LSTM over three steps."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 3, batch_first=True), nn.Linear(3, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        states, _ = self.lstm(inputs.reshape(-1, 3, 2))
        logits: Tensor = self.head(states[:, -1])
        return logits


class Remembering(nn.Module):
    """A recurrent layer of the library over three steps, from a first state that is learned."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        width = (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
        self.layer, self.head = layer, nn.Linear(width, 4)
        self.first = nn.Parameter(torch.zeros(width // layer.hidden_size, 1, layer.hidden_size)) if layer.mode == "GRU" else None

    def forward(self, inputs: Tensor) -> Tensor:
        sequence = inputs.reshape(-1, 3, 2)
        first = None if self.first is None else self.first.expand(-1, len(inputs), -1).contiguous()
        states, last = self.layer(sequence if self.layer.batch_first else sequence.transpose(0, 1), first)
        state = states[:, -1] if self.layer.batch_first else states[-1]
        if isinstance(last, tuple):
            state = state + last[1].mean(dim=(0, 2)).unsqueeze(1)
        logits: Tensor = self.head(state)
        return logits


class Packed(nn.Module):
    """Sequences of different lengths, as the library packs them."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(2, 3, batch_first=True), nn.Linear(3, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        lengths = 2 + (inputs[:, 0] > 0).long()
        packed = pack_padded_sequence(inputs.reshape(-1, 3, 2), lengths, batch_first=True, enforce_sorted=False)
        logits: Tensor = self.head(self.gru(packed)[1][0])
        return logits


class Checkpointed(nn.Module):
    """Layers whose activations are computed anew in the backward pass, in both of the library's ways."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.head, self.reentrant = nn.Linear(6, 5), nn.Linear(5, 4), reentrant
        self.inner = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.GRUCell(5, 5), nn.Linear(5, 5))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(inputs))
        logits: Tensor = self.head(checkpoint(self.inner, hidden, use_reentrant=self.reentrant))
        return logits


class TwoNames(nn.Module):
    """A layer, a recurrent layer and a normalisation that have two names each."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gru, self.norm = nn.Linear(2, 3), nn.GRU(3, 3, batch_first=True), nn.LayerNorm(3)
        self.body = nn.ModuleDict({"first": self.first, "gru": self.gru, "norm": self.norm, "head": nn.Linear(3, 4)})

    def forward(self, inputs: Tensor) -> Tensor:
        states, _ = self.gru(self.body["first"](inputs.reshape(-1, 3, 2)))
        logits: Tensor = self.body["head"](self.norm(states[:, -1]))
        return logits


class Branching(nn.Module):
    """Each example goes through the Linear that its own first feature picks: vmap cannot trace this."""

    def __init__(self) -> None:
        super().__init__()
        self.low, self.high, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        rows = [(self.high if float(row[0]) > 0.0 else self.low)(row) for row in inputs]
        logits: Tensor = self.head(torch.tanh(torch.stack(rows)))
        return logits


class RareExpert(nn.Module):
    """The whole batch goes through one expert; the other is added for examples with a large feature, which come late."""

    def __init__(self) -> None:
        super().__init__()
        self.always, self.rare, self.head = nn.Linear(6, 5), nn.Linear(6, 5), nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.always(inputs)
        chosen = inputs[:, 0] > 10.0
        if bool(chosen.any()):
            hidden = hidden.index_add(0, chosen.nonzero().squeeze(1), self.rare(inputs[chosen]))
        logits: Tensor = self.head(torch.tanh(hidden))
        return logits


class Words(nn.Module):
    """An embedding whose rows repeat within an example."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.padded, self.head = nn.Embedding(7, 5), nn.Embedding(7, 5, padding_idx=0), nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.tanh((self.table(inputs.long()) * self.padded(inputs.long())).sum(1)))
        return logits


class Unused(nn.Module):
    """Parameters that the logits do not depend on, and a layer that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.idle, self.scalar = nn.Linear(6, 4, bias=False), nn.Linear(6, 4), nn.Parameter(torch.ones(3))
        self.never = nn.Linear(6, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        self.idle(inputs)
        logits: Tensor = self.head(inputs)
        return logits


class Hooked(nn.Module):
    """A Linear whose output is changed by a hook of its owner."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(6, 5), nn.Linear(5, 4)
        self.inner.register_forward_hook(lambda module, arguments, output: torch.tanh(output))

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(self.inner(inputs))
        return logits


class Recalled(nn.Module):
    """The library's GRU over three steps, examples in dimension 1, and a cell that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.cell, self.head = nn.GRU(2, 3, bidirectional=True), nn.GRUCell(6, 3), nn.Linear(3, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        states, _ = self.gru(inputs.reshape(-1, 3, 2).transpose(0, 1))
        logits: Tensor = self.head(self.cell(states[2], self.cell(states[1])))
        return logits


class Scrambled(nn.Module):
    """A Linear whose input has as many rows as there are examples, but whose rows mix two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(2, 3), nn.Linear(3, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        steps = inputs.reshape(-1, 3, 2).transpose(0, 1)
        rows = torch.tanh(self.inner(steps.reshape(-1, 3, 2)))
        logits: Tensor = self.head(rows.reshape(3, -1, 3).sum(0))
        return logits


class Experts(nn.Module):
    """Gated experts, a bilinear layer, a temperature without dimensions, and two heads that share a hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(6, 2), nn.ModuleList([nn.Linear(6, 5), nn.Linear(6, 5)])
        self.pair, self.activation = nn.Bilinear(5, 6, 5), nn.PReLU(5)
        self.heads, self.temperature = nn.ModuleList([nn.Linear(5, 1), nn.Linear(5, 3)]), nn.Parameter(torch.ones(()))

    def forward(self, inputs: Tensor) -> Tensor:
        weights = torch.softmax(self.gate(inputs), dim=1).unsqueeze(1)
        hidden = (torch.stack([expert(inputs) for expert in self.experts], dim=2) * weights).sum(2)
        hidden = self.activation(self.pair(hidden, inputs))
        return torch.cat([head(hidden) for head in self.heads], dim=1) / self.temperature.exp()


class Bag(nn.Module):
    """A bag of words, and an embedding that is also the weight of the last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.table, self.inner = nn.EmbeddingBag(7, 4, mode="mean"), nn.Embedding(7, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.table.weight

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = inputs.long()
        logits: Tensor = self.head(torch.tanh(self.inner(self.table(tokens).sum(1)) + self.bag(tokens)))
        return logits[:, :4]


def _volumes() -> nn.Module:
    """Three dimensions, transposed, padded in a circle; batch norm on [n, C, L] and [n, C, D, H, W]."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 1, 2, 3)),
        nn.Conv3d(1, 2, (1, 2, 2), padding=(0, 1, 1), padding_mode="circular"),
        nn.BatchNorm3d(2),
        nn.Tanh(),
        nn.Flatten(3),
        nn.ConvTranspose2d(2, 3, (2, 3), stride=2),
        nn.Flatten(2),
        nn.BatchNorm1d(3),
        nn.PReLU(),
        nn.Conv1d(3, 3, 5, padding="same", groups=3),
        nn.AdaptiveAvgPool1d(2),
        nn.Flatten(),
        nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4)),
    )


def _conv() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 3, 2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4))


def _convs() -> nn.Module:
    """Grouped, strided, dilated, padded by reflection, depthwise; with group, instance and batch norm between them."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 3)),
        nn.Conv2d(1, 4, (1, 2), padding=(1, 2), stride=(2, 1), bias=False),
        nn.GroupNorm(2, 4),
        nn.Conv2d(4, 6, (1, 3), groups=2, dilation=(1, 2), padding="same"),
        nn.InstanceNorm2d(6, affine=True),
        nn.Conv2d(6, 6, 3, groups=6, padding=1, padding_mode="reflect", stride=(1, 2)),
        nn.BatchNorm2d(6),
        nn.SiLU(),
        nn.Flatten(2),
        nn.Conv1d(6, 2, 3, padding=2, dilation=2, stride=2),
        nn.Flatten(),
        nn.Linear(6, 4),
    )


def _batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(5, 4))


NETWORKS: dict[str, nn.Module] = {
    "linear": seeded(nn.Linear(6, 4)),
    "mlp": seeded(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 4))),
    "in-place activation": seeded(nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 4, bias=False))),
    "conv": seeded(_conv()),
    "convs": seeded(_convs()),
    "batch norm": seeded(_batch_norm()),
    "layer norm": seeded(nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU(), nn.RMSNorm(5), nn.Linear(5, 4))),
    "reused layer": seeded(Reused()),
    "tied weight": seeded(Tied()),
    "shared module": seeded(SharedModule()),
    "several positions": seeded(Positions()),
    "gain": seeded(Gain()),
    "residual": seeded(Residual()),
    "attention": seeded(Attention()),
    "time first": seeded(TimeFirst()),
    "recurrent": seeded(Recurrent()),
    "gru": seeded(Remembering(nn.GRU(2, 3, bidirectional=True))),
    "lstm": seeded(Remembering(nn.LSTM(2, 3, num_layers=2, bidirectional=True, batch_first=True))),
    "projected lstm": seeded(Remembering(nn.LSTM(2, 3, proj_size=2, bias=False))),
    "rnn": seeded(Remembering(nn.RNN(2, 3, num_layers=2, nonlinearity="relu", batch_first=True))),
    "packed": seeded(Packed()),
    "two names": seeded(TwoNames()),
    "checkpointed": seeded(Checkpointed(reentrant=False)),
    "reentrant": seeded(Checkpointed(reentrant=True)),
    "branching": seeded(Branching()),
    "rare expert": seeded(RareExpert()),
    "weight norm": seeded(nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), nn.Tanh(), nn.Linear(5, 4))),
    "embedding": seeded(Words()),
    "bag": seeded(Bag()),
    "volumes": seeded(_volumes()),
    "experts": seeded(Experts()),
    "recalled": seeded(Recalled()),
    "scrambled": seeded(Scrambled()),
    "unused parameters": seeded(Unused()),
    "hooked layer": seeded(Hooked()),
}


def inputs_for(name: str, num_examples: int = 7) -> Tensor:
    """Inputs [num_examples, 6] that suit the network."""
    generator = torch.Generator().manual_seed(1)
    if name in ("embedding", "bag"):
        return torch.randint(0, 7, (num_examples, 6), generator=generator)
    inputs = torch.randn(num_examples, 6, generator=generator, dtype=torch.float64)
    if name == "rare expert":
        inputs[3:5, 0] = 11.0
    return inputs
