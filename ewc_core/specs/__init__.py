"""Job specs: one definition for HTTP, database, worker and Python. Nothing here imports torch."""

from ewc_core.specs.base import Spec
from ewc_core.specs.datasets import DATASETS, DatasetInfo, DatasetName, dataset_files_missing
from ewc_core.specs.job import Control, JobSpec, check_next_task
from ewc_core.specs.method import EwcMethod, JointMethod, L2Method, MethodSpec, NaiveMethod, PenaltyStep
from ewc_core.specs.network import MLPSpec, NetworkSpec, count_parameters
from ewc_core.specs.tasks import PermutedTask, TaskSpec
from ewc_core.specs.training import OptimiserName, TrainingSpec

__all__ = [
    "DATASETS",
    "Control",
    "DatasetInfo",
    "DatasetName",
    "EwcMethod",
    "JobSpec",
    "JointMethod",
    "L2Method",
    "MLPSpec",
    "MethodSpec",
    "NaiveMethod",
    "NetworkSpec",
    "OptimiserName",
    "PenaltyStep",
    "PermutedTask",
    "Spec",
    "TaskSpec",
    "TrainingSpec",
    "check_next_task",
    "count_parameters",
    "dataset_files_missing",
]
