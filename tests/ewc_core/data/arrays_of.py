"""Small arrays and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ewc_core.data import DataSource
from ewc_core.data.arrays import load_arrays
from ewc_core.specs import ArraysDataset


def train_and_test(**changes: Any) -> dict[str, Any]:
    """Six training and three test examples of two features and three classes; a change of None leaves an array out."""
    arrays = {
        "train_inputs": np.arange(12, dtype=np.float32).reshape(6, 2),
        "train_targets": np.array([0, 1, 2, 0, 1, 2]),
        "test_inputs": -np.arange(6, dtype=np.float32).reshape(3, 2),
        "test_targets": np.array([2, 1, 0]),
        **changes,
    }
    return {name: array for name, array in arrays.items() if array is not None}


def load(folder: Path, path: str, **options: Any) -> DataSource:
    """The data source in a file of `folder`."""
    return load_arrays(ArraysDataset(path=path, **options), folder)
