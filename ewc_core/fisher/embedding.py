"""Closed form of Embedding: per example, δ of equal tokens is summed, then squared into the token's row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ewc_core.fisher.forms import Squares, WeightAndBias, leading
from ewc_core.fisher.sums import Sums
from ewc_core.fisher.trace import Call


class _EmbeddingSquares:
    """ΣF[v] = Σ_n (Σ_{p: token_np = v} δ_np)²; the padding row has no gradient."""

    def __init__(self, module: nn.Embedding, name: str, tokens: Tensor) -> None:
        self._name = name
        tokens = tokens.reshape(len(tokens), -1).long()
        examples = torch.arange(len(tokens), device=tokens.device).unsqueeze(1)
        self._kept = tokens != module.padding_idx if module.padding_idx is not None else torch.ones_like(tokens, dtype=torch.bool)
        keys = (examples * module.num_embeddings + tokens)[self._kept]
        pairs, self._slots = torch.unique(keys, return_inverse=True)
        self._rows = pairs % module.num_embeddings
        self._squared: Tensor | None = None

    def add(self, delta: Tensor) -> None:
        rows = delta.reshape(*self._kept.shape, -1)[self._kept]
        summed = rows.new_zeros(len(self._rows), rows.shape[1]).index_add_(0, self._slots, rows)
        self._squared = summed.square_() if self._squared is None else self._squared.addcmul_(summed, summed)

    def finish(self, sums: Sums) -> None:
        if self._squared is not None:
            sums[self._name].index_add_(0, self._rows, self._squared.to(sums[self._name].dtype))


@dataclass(frozen=True)
class EmbeddingForm:
    """`nn.Embedding` on tokens [n, ...], without `max_norm` and without gradients scaled by frequency."""

    module: nn.Embedding
    names: WeightAndBias

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return self.names.parameter_names

    def fits(self, call: Call, num_examples: int) -> bool:
        plain = self.module.max_norm is None and not self.module.scale_grad_by_freq
        return plain and leading(call.inputs.shape, num_examples)

    def numbers_per_example(self, call: Call, num_grad_outputs: int) -> int:
        return 4 * call.inputs[:1].numel() * (1 + self.module.embedding_dim)

    def squares(self, call: Call, num_grad_outputs: int) -> Squares:
        return _EmbeddingSquares(self.module, self.parameter_names[0], call.inputs)
