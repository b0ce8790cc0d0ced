"""Data sets and the tasks made of them."""

from ewc_core.data.permuted import PermutedData, permutation_of
from ewc_core.data.sources import DataSource, load_source

__all__ = ["DataSource", "PermutedData", "load_source", "permutation_of"]
