"""Supervised training on a sequence of tasks."""

from ewc_core.supervised.problem import SupervisedProblem
from ewc_core.supervised.run import run

__all__ = ["SupervisedProblem", "run"]
