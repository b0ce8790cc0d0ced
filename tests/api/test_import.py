"""The HTTP process stays small: no torch, no numpy."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_app_loads_neither_torch_nor_numpy_nor_optuna_nor_the_worker():
    heavy = ("torch", "numpy", "optuna", "sklearn", "worker")
    program = f"import api.app, api.__main__, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
