"""Write four regression tasks as .npz files into the data directory: `python make_data.py DATA_DIR`.

Each task is a wave of its own frequency and phase over x in [-1, 1], with a little noise. The job next to this file
learns them one after the other:

    python examples/own_arrays/make_data.py data
    EWC_DATA_DIR=data ewc submit examples/own_arrays/job.json --watch

A service that runs already must have been started with that EWC_DATA_DIR; with none, this command starts one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

NUM_TASKS, NUM_TRAINING, NUM_TEST, NOISE = 4, 800, 200, 0.05


def main(data_dir: Path) -> None:
    """Write `waves/wave-0.npz` and the rest."""
    folder = data_dir / "waves"
    folder.mkdir(parents=True, exist_ok=True)
    for task in range(NUM_TASKS):
        random = np.random.default_rng(task)
        x = random.uniform(-1.0, 1.0, size=(NUM_TRAINING + NUM_TEST, 1)).astype(np.float32)
        y = np.sin((2.0 + task) * x + task) + NOISE * random.standard_normal(x.shape)
        y = y.astype(np.float32)
        np.savez(
            folder / f"wave-{task}.npz",
            train_inputs=x[:NUM_TRAINING],
            train_targets=y[:NUM_TRAINING],
            test_inputs=x[NUM_TRAINING:],
            test_targets=y[NUM_TRAINING:],
        )
    print(f"wrote {NUM_TASKS} tasks to {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python make_data.py DATA_DIR")
    main(Path(sys.argv[1]))
