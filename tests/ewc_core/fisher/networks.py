"""Networks of every kind that the Fisher meets, in float64."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


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


class Words(nn.Module):
    """An embedding whose rows repeat within an example."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(7, 5), nn.Linear(5, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = self.head(torch.tanh(self.table(inputs.long()).sum(1)))
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


def _conv() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 3, 2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4))


def _batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(5, 4))


NETWORKS: dict[str, nn.Module] = {
    "linear": seeded(nn.Linear(6, 4)),
    "mlp": seeded(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 4))),
    "in-place activation": seeded(nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Linear(8, 4, bias=False))),
    "conv": seeded(_conv()),
    "batch norm": seeded(_batch_norm()),
    "layer norm": seeded(nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 4))),
    "reused layer": seeded(Reused()),
    "tied weight": seeded(Tied()),
    "shared module": seeded(SharedModule()),
    "several positions": seeded(Positions()),
    "gain": seeded(Gain()),
    "embedding": seeded(Words()),
    "unused parameters": seeded(Unused()),
    "hooked layer": seeded(Hooked()),
}


def inputs_for(name: str, num_examples: int = 7) -> Tensor:
    """Inputs [num_examples, 6] that suit the network."""
    generator = torch.Generator().manual_seed(1)
    if name == "embedding":
        return torch.randint(0, 7, (num_examples, 6), generator=generator)
    return torch.randn(num_examples, 6, generator=generator, dtype=torch.float64)
