"""Data sets and the tasks made of them."""

from ewc_core.data.builtin import load_builtin as load_source
from ewc_core.data.permuted import PermutedData, permutation_of
from ewc_core.data.source import DataSource
from ewc_core.data.sources import Sources
from ewc_core.data.task_data import SplitName, TaskData

__all__ = ["DataSource", "PermutedData", "Sources", "SplitName", "TaskData", "load_source", "permutation_of"]
