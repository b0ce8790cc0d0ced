"""The random states that all code of a process shares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import numpy as np
import torch


@contextmanager
def random_states_kept() -> Iterator[None]:
    """The global random states of torch (on the CPU), numpy and Python are afterwards what they were."""
    of_numpy, of_python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def random_states() -> dict[str, str]:
    """By name, fingerprints of numpy's and Python's."""
    name, keys, *rest = np.random.get_state(legacy=True)
    of_numpy = sha256(np.asarray(keys).tobytes() + repr((name, rest)).encode()).hexdigest()
    of_python = sha256(repr(random.getstate()).encode()).hexdigest()
    return {"numpy's global generator": of_numpy, "Python's global generator": of_python}
