"""How much of a network the precision has frozen."""

from ewc_core.capacity.curvature import mean_curvature, pull_and_power, random_pulls
from ewc_core.capacity.frozen import NEARLY_USED, Capacity, capacity, capacity_of_precision, capacity_warning, frozen_share

__all__ = [
    "NEARLY_USED",
    "Capacity",
    "capacity",
    "capacity_of_precision",
    "capacity_warning",
    "frozen_share",
    "mean_curvature",
    "pull_and_power",
    "random_pulls",
]
