"""Binary synapses with metaplastic levels that see one pattern a step, drawn event by event."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ewc_core.association.cascade import SynapseChain
from ewc_core.association.patterns import Patterns
from ewc_core.seeding import generator


def simulate_cascade(
    chain: SynapseChain, patterns: Patterns, times: Sequence[int], *, seed: int, repeats: Sequence[int]
) -> Tensor:
    """The weights W = w/√n at `times` (increasing, counted from 1), of every repeat: float32 [R, n, num_times].

    A repeat's random numbers depend on the seed and its number alone. They are float32, multiples of 2^−24: chances of
    the cascade, which are powers of two, are met exactly up to 24 levels.
    """
    sources = [generator(seed, "association", "cascade", repeat) for repeat in repeats]
    n, num_states = patterns.num_synapses, chain.num_states
    target, chance = torch.from_numpy(chain.target).flatten(), torch.from_numpy(chain.chance).float().flatten()
    states = torch.stack([torch.randint(num_states, (n,), generator=source) for source in sources]).flatten()
    snapshots = torch.empty(patterns.num_repeats, n, len(times))
    columns = {time: column for column, time in enumerate(times)}
    for first, block in patterns.blocks():
        draws = torch.stack([torch.rand(len(block), n, generator=source) for source in sources], dim=1)
        labels = patterns.labels[first : first + len(block)].unsqueeze(2)
        rows = (block * labels > 0.0).long().mul_(num_states).flatten(1)
        for t, (row, draw) in enumerate(zip(rows, draws.flatten(1), strict=True), start=first + 1):
            entry = row.add_(states)
            acts = draw < chance.index_select(0, entry)
            states = torch.where(acts, target.index_select(0, entry), states)
            if t in columns:
                strengths = torch.where(states < num_states // 2, -1.0, 1.0)
                snapshots[:, :, columns[t]] = strengths.view(-1, n) * n**-0.5
    return snapshots
