"""Forget-Me-Not processes over strings of bits, and the coins that they are tested on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ewc_core.task_inference.forget_me_not import ForgetMeNot
from tests.ewc_core.task_inference.kt import kt_estimator


def binary_process(*, depth: int, pool_size: int, min_level: int = 0, reservoir_size: int = 100, seed: int = 0) -> ForgetMeNot:
    """A process over the KT estimator; a lineage may fill the pool."""
    return ForgetMeNot(
        kt_estimator(),
        depth=depth,
        pool_size=pool_size,
        lineage_size=max(1, pool_size),
        min_level=min_level,
        reservoir_size=reservoir_size,
        random=torch.Generator().manual_seed(seed),
    )


def log_probability(process: ForgetMeNot, bits: Iterable[int | str]) -> float:
    """log p of bits that come next, in nats."""
    return sum(process.step(np.array([int(bit)], dtype=np.uint8)) for bit in bits)


def toss_coins(num: int, *, seed: int, num_coins: int = 7, switch_probability: float = 0.005) -> tuple[list[int], float]:
    """Tosses of coins of uniformly random biases, one at a time until another is drawn, and their log probability given the
    coins and when they were changed."""
    random = np.random.default_rng(seed)
    biases = random.random(num_coins)
    coin, bits, total = int(random.integers(num_coins)), [], 0.0
    for _ in range(num):
        if random.random() < switch_probability:
            coin = int(random.integers(num_coins))
        bits.append(int(random.random() < biases[coin]))
        total += float(np.log(biases[coin] if bits[-1] else 1.0 - biases[coin]))
    return bits, total
