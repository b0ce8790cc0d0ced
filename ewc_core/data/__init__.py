"""Data sets and the tasks made of them."""

from ewc_core.data.permuted import permutation_of
from ewc_core.data.source import DataSource
from ewc_core.data.sources import Sources
from ewc_core.data.task_data import SplitName, TaskData

__all__ = ["DataSource", "Sources", "SplitName", "TaskData", "permutation_of"]
