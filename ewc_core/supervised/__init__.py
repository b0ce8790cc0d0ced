"""Supervised training on a sequence of tasks."""

from ewc_core.supervised.run import run
from ewc_core.supervised.train import SupervisedRun

__all__ = ["SupervisedRun", "run"]
