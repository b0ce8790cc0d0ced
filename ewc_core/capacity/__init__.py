"""How much of a network the precision has frozen."""

from ewc_core.capacity.curvature import pull_and_power
from ewc_core.capacity.frozen import NEARLY_USED, Capacity, capacity, capacity_of_precision, capacity_warning, frozen_share

__all__ = [
    "NEARLY_USED",
    "Capacity",
    "capacity",
    "capacity_of_precision",
    "capacity_warning",
    "frozen_share",
    "pull_and_power",
]
