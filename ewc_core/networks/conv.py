"""The small convolutional ReLU network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ewc_core.networks.dropout import NO_DROPOUT, DropoutRates, SeededDropout
from ewc_core.networks.layers import convolution
from ewc_core.networks.mlp import MLP


class ConvNet(nn.Module):
    """Images [n, channels, height, width] -> outputs [n, num_outputs].

    Each of `channels` adds a 3x3 convolution that keeps height and width, ReLU and a 2x2 max pooling (a last odd row or
    column is dropped); an MLP with `hidden_sizes` follows. With `dropout`, pixels are silenced before the first
    convolution, and pooled features and hidden units before the fully connected layer that reads them. Weights and
    biases start uniform in ±1/√inputs, drawn from `generator` in layer order; float32.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden_sizes: Sequence[int],
        num_outputs: int,
        generator: torch.Generator,
        dropout: DropoutRates = NO_DROPOUT,
    ) -> None:
        super().__init__()
        first, height, width = input_shape
        num_features = channels[-1] * (height >> len(channels)) * (width >> len(channels))
        self.input_dropout = SeededDropout(dropout.input_rate, generator)
        self.convolutions = nn.ModuleList(
            convolution(inputs, outputs, generator) for inputs, outputs in pairwise([first, *channels])
        )
        # The features that the fully connected part starts from are hidden units of the whole network.
        inner = DropoutRates(input_rate=dropout.hidden_rate, hidden_rate=dropout.hidden_rate)
        self.classifier = MLP([num_features, *hidden_sizes, num_outputs], generator, inner)

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs [n, num_outputs] of images [n, channels, height, width]."""
        hidden = self.input_dropout(inputs)
        for layer in self.convolutions:
            hidden = functional.max_pool2d(torch.relu(layer(hidden)), kernel_size=2)
        outputs: Tensor = self.classifier(hidden)
        return outputs
