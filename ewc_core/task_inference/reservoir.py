"""Uniform samples of everything seen, of fixed size."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Sample = NDArray[np.uint8]


def offer(samples: NDArray[np.uint8], num_seen: NDArray[np.int64], symbols: NDArray[np.uint8], random: torch.Generator) -> None:
    """Show one observation to every reservoir [num, size, num_symbols], which stays a uniform sample of all it has seen.

    Algorithm R: while there is room it is kept; else with probability size / num_seen, in the place of any other. `num_seen`
    [num] is counted up. Both are changed in place.
    """
    size = samples.shape[1]
    places = num_seen.copy()
    num_seen += 1
    full = places >= size
    if full.any():
        draws = torch.rand(len(samples), generator=random, dtype=torch.float64).numpy()
        np.copyto(places, draws * num_seen, where=full, casting="unsafe")
    kept = (places < size).nonzero()[0]
    samples[kept, places[kept]] = symbols


def united(first: Sample, num_first: int, second: Sample, num_second: int, size: int, random: torch.Generator) -> Sample:
    """A uniform sample of at most `size` of the `num_first` + `num_second` observations that two uniform samples of at most
    `size` stand for.
    """
    num_total = num_first + num_second
    if num_total <= size:
        return np.concatenate([first, second])
    draws = torch.rand(size, generator=random, dtype=torch.float64)
    num_left, num_from_first = num_first, 0
    for number, draw in enumerate(draws.tolist()):
        if draw * (num_total - number) < num_left:
            num_left -= 1
            num_from_first += 1
    chosen = [_some(first, num_from_first, random), _some(second, size - num_from_first, random)]
    return np.concatenate(chosen)


def _some(sample: Sample, num: int, random: torch.Generator) -> Sample:
    chosen: Sample = sample[torch.randperm(len(sample), generator=random)[:num].numpy()]
    return chosen
