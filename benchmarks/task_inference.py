"""How well the Forget-Me-Not process predicts coins that come back, and what it costs to recognise tasks.

    python -m benchmarks task_inference

Redundancy: 5000 tosses of 7 coins of random biases, another one drawn with probability 0.005 before each toss; nats lost
against who knows the coins and when they change, as a mean of 4 runs. One KT estimator, partition tree weighting, and the
process over it (depth 13, pool of 15, segments of 32 enter it).

Cost: microseconds of one thread per observation when 1 and 10 tasks are known, smallest of several rounds, the quantiser
included. The frames are 10 × 5 and 84 × 84 pixels (50 symbols of 2 levels, 1764 of 8). Beside it, in the same run: an agent
step of training a network 2 × 100 on the small frames, that is a quarter of an update on 32 transitions, and its share in
acting in 8 environments. An observation is made every 4 agent steps by default.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ewc_core.task_inference.kt import kt_estimator
from numpy.typing import NDArray

from ewc_core.reinforcement.learner import QLearner
from ewc_core.reinforcement.replay import Batch
from ewc_core.seeding import generator
from ewc_core.specs import FlatInference, FmnInference, ReinforcementSpec
from ewc_core.task_inference import Quantiser, make_recogniser
from ewc_core.task_inference.forget_me_not import ForgetMeNot

NUM_TOSSES, NUM_COINS, SWITCH_PROBABILITY, NUM_RUNS = 5000, 7, 0.005, 4
DEPTH, POOL_SIZE, MIN_LEVEL = 13, 15, 5
SIZES = {"50 x 2": ((10, 5), 2), "1764 x 8": ((84, 84), 8)}
RECOGNISERS = {
    "flat": FlatInference(kind="flat"),
    "flat, window 128": FlatInference(kind="flat", window=128),
    "fmn": FmnInference(kind="fmn"),
}
NUM_TASKS = (1, 10)
NUM_OBSERVATIONS, NUM_ROUNDS = 640, 3


def toss(seed: int) -> tuple[list[int], float]:
    """Tosses, and their log probability given the coins and the changes."""
    random = np.random.default_rng(seed)
    biases = random.random(NUM_COINS)
    coin, bits, total = int(random.integers(NUM_COINS)), [], 0.0
    for _ in range(NUM_TOSSES):
        if random.random() < SWITCH_PROBABILITY:
            coin = int(random.integers(NUM_COINS))
        bits.append(int(random.random() < biases[coin]))
        total += math.log(biases[coin] if bits[-1] else 1.0 - biases[coin])
    return bits, total


def kt_log_probability(bits: list[int]) -> float:
    """Of all bits under one KT estimator, in closed form."""
    ones = sum(bits)
    log_gammas = math.lgamma(len(bits) - ones + 0.5) + math.lgamma(ones + 0.5) - math.lgamma(len(bits) + 1)
    return log_gammas - math.log(math.pi)


def process_log_probability(bits: list[int], pool_size: int, seed: int) -> float:
    """Of all bits under the process; without a pool that is partition tree weighting."""
    process = ForgetMeNot(
        kt_estimator(),
        depth=DEPTH,
        pool_size=pool_size,
        lineage_size=POOL_SIZE,
        min_level=MIN_LEVEL if pool_size else DEPTH + 1,
        reservoir_size=100,
        random=generator(seed, "reservoirs"),
    )
    return sum(process.step(np.array([bit], dtype=np.uint8)) for bit in bits)


def redundancies() -> dict[str, list[float]]:
    """Nats lost, by estimator and run."""
    runs = [toss(seed) for seed in range(NUM_RUNS)]
    return {
        "KT": [true - kt_log_probability(bits) for bits, true in runs],
        "PTW": [true - process_log_probability(bits, 0, seed) for seed, (bits, true) in enumerate(runs)],
        "FMN": [true - process_log_probability(bits, POOL_SIZE, seed) for seed, (bits, true) in enumerate(runs)],
    }


def seconds(run: Callable[[], object], num: int) -> float:
    """Of one thread per one of `num`, the smallest of several rounds."""
    best = math.inf
    for _ in range(NUM_ROUNDS):
        started = time.thread_time()
        run()
        best = min(best, (time.thread_time() - started) / num)
    return best


def noisy_frames(game: int, num: int, shape: tuple[int, ...]) -> list[NDArray[np.uint8]]:
    """Frames of a made-up game: a fixed background, of which a tenth is replaced."""
    background = np.random.default_rng(game).integers(0, 256, shape)
    random = np.random.default_rng(1000 + game)
    noise = random.integers(0, 256, (num, *shape))
    return list(np.where(random.random((num, *shape)) < 0.1, noise, background).astype(np.uint8))


def recognition_seconds(spec: FlatInference | FmnInference, size: str, num_tasks: int) -> float:
    """Per observation, in a stream that goes through all known tasks."""
    shape, num_levels = SIZES[size]
    quantiser = Quantiser(shape, np.dtype(np.uint8), num_levels=num_levels, downscale=2)
    recogniser = make_recogniser(spec, num_symbols=quantiser.num_symbols, num_levels=num_levels, seed=0)
    num_first = 4 * (spec.window if isinstance(spec, FlatInference) else 2**spec.min_level)
    for game in range(num_tasks):
        for frame in noisy_frames(game, num_first, shape):
            recogniser.step(quantiser(frame), announced=-1)
    frames = [frame for game in range(num_tasks) for frame in noisy_frames(game, NUM_OBSERVATIONS // num_tasks, shape)]

    def observe() -> None:
        for frame in frames:
            recogniser.step(quantiser(frame), announced=-1)

    return seconds(observe, len(frames))


def agent_step_seconds() -> float:
    """A quarter of an update and an eighth of acting in 8 environments: the network's part of an agent step."""
    spec = ReinforcementSpec.model_validate(
        {
            "kind": "reinforcement",
            "network": {"kind": "mlp", "hidden_sizes": [100, 100]},
            "agent": {"preset": "small"},
            "method": {"kind": "naive"},
            "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0"}],
            "schedule": {"kind": "rounds", "num_steps": 1000},
        }
    )
    learner = QLearner(spec, input_shape=(1, 10, 5), num_actions=3, seed=0)
    states = torch.randint(0, 256, (32, 1, 10, 5), generator=generator(0, "states"), dtype=torch.uint8)
    batch = Batch(states, torch.zeros(32, dtype=torch.int64), torch.zeros(32), states, torch.ones(32))
    num = 200
    update = seconds(lambda: [learner.update(batch) for _ in range(num)], num)
    acting = seconds(lambda: [learner.q_values(states[:8]) for _ in range(num)], num)
    return update / 4 + acting / 8


def run() -> dict[str, Any]:
    """Measure and print."""
    torch.set_num_threads(1)
    lost = redundancies()
    print(f"redundancy in nats, {NUM_TOSSES} tosses of {NUM_COINS} coins")
    for name, values in lost.items():
        print(f"  {name:5}{np.mean(values):8.1f}   (" + ", ".join(f"{value:.1f}" for value in values) + ")")
    step = 1e6 * agent_step_seconds()
    print(f"an agent step's network, 2 x 100 on 10 x 5 pixels: {step:.1f} us")
    costs = {
        f"{name}, {size}, {num_tasks} tasks": 1e6 * recognition_seconds(spec, size, num_tasks)
        for size in SIZES
        for name, spec in RECOGNISERS.items()
        for num_tasks in NUM_TASKS
    }
    print(f"{'us per observation, and per agent step':44}")
    for name, value in costs.items():
        print(f"  {name:40}{value:8.1f}{value / 4:8.1f}")
    return {"redundancy_nats": lost, "agent_step_us": step, "observation_us": costs}
