"""A data source: two interleaved half circles in the plane, turned by an angle that each task chooses.

A job makes a stream of such tasks by naming this source with a different `angle` each time. The same options always give
the same arrays, which is what lets a job be resumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

DEFAULTS = {"angle": 0.0, "num_training_examples": 1000, "num_test_examples": 500, "noise": 0.1, "seed": 0}


def source(options: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs float32 [n, 2] and labels int64 [n], 0 or 1, for training and for testing.

    Options: `angle` in degrees counter-clockwise about the origin, `num_training_examples`, `num_test_examples`, `noise`
    (standard deviation) and `seed`. One seed gives the same points at every angle.

    Raises:
        ValueError: an option that does not exist, or a number that cannot be used.
    """
    unknown = sorted(set(options) - set(DEFAULTS))
    if unknown:
        raise ValueError(f"unknown options {unknown}; expected some of {sorted(DEFAULTS)}")
    chosen = {**DEFAULTS, **options}
    sizes = chosen["num_training_examples"], chosen["num_test_examples"]
    if min(sizes) < 2:
        raise ValueError(f"num_training_examples and num_test_examples must be at least 2, got {sizes}")
    rng = np.random.default_rng(chosen["seed"])
    parts = [_moons(size, chosen["noise"], rng) for size in sizes]
    (train_inputs, train_targets), (test_inputs, test_targets) = parts
    return {
        "train_inputs": _turned(train_inputs, chosen["angle"]),
        "train_targets": train_targets,
        "test_inputs": _turned(test_inputs, chosen["angle"]),
        "test_targets": test_targets,
        "likelihood": "categorical",
    }


def _moons(num_examples: int, noise: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(num_examples, dtype=np.int64) % 2
    turn = rng.uniform(0.0, np.pi, num_examples)
    upper = np.stack([np.cos(turn) - 0.5, np.sin(turn) - 0.25], axis=1)  # the other one is its mirror image at the origin
    points = np.where(labels[:, None] == 0, upper, -upper)
    return points + rng.normal(0.0, noise, points.shape), labels


def _turned(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (points @ rotation).astype(np.float32)
