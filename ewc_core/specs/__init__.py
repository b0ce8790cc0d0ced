"""Job specs: one definition for HTTP, database, worker and Python. Nothing here imports torch."""

from ewc_core.specs.agent import AgentSpec, QFisherSpec, QNetworkSpec
from ewc_core.specs.analysis import AnalysisSpec
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.association import (
    AssociationRule,
    AssociationSpec,
    CascadeRule,
    EwcRule,
    GradientDescentRule,
    OnlineEwcRule,
    rule_title,
)
from ewc_core.specs.base import Spec
from ewc_core.specs.check import CheckedSpec, CheckSpec
from ewc_core.specs.datasets import (
    DATASETS,
    ArraysDataset,
    DatasetInfo,
    DatasetName,
    DatasetSpec,
    LikelihoodName,
    OpenMLDataset,
    PluginDataset,
    dataset_files_missing,
    dataset_info,
    dataset_title,
)
from ewc_core.specs.environments import AtariTask, EnvironmentSpec, GymnasiumTask, Reference
from ewc_core.specs.execution import ExecutionSpec, Priority, Slot
from ewc_core.specs.heads import HeadKind, HeadSpec
from ewc_core.specs.job import JOB_KINDS, JOB_SPEC, JobSpec, LearningSpec
from ewc_core.specs.kind import JobKind
from ewc_core.specs.method import (
    DropoutMethod,
    EwcMethod,
    FisherEstimator,
    JointMethod,
    L2Method,
    MasMethod,
    MethodSpec,
    NaiveMethod,
    OnlineEwcMethod,
    PenaltyStep,
    SiMethod,
)
from ewc_core.specs.network import ConvSpec, MLPSpec, NetworkSpec, PluginNetworkSpec, conv_input_channels, count_parameters
from ewc_core.specs.questions import AnalysisQuestion, CapacityAnalysis, OverlapAnalysis, PerturbationAnalysis
from ewc_core.specs.reinforcement import GameEvaluationSpec, GameEwcMethod, GameL2Method, ReinforcementSpec
from ewc_core.specs.schedule import ExplicitSchedule, RoundsSchedule, ScheduleSpec, Segment
from ewc_core.specs.searched_fields import Scalar
from ewc_core.specs.supervised import Control, SupervisedSpec, check_next_task, num_outputs_needed
from ewc_core.specs.sweep import Choices, FloatRange, IntRange, SearchRange, SweepSpec
from ewc_core.specs.task_inference import FlatInference, FmnInference, OracleInference, TaskInferenceSpec
from ewc_core.specs.tasks import PermutedTask, PlainTask, RotatedTask, SplitTask, TaskSpec, task_shape
from ewc_core.specs.training import OptimiserName, TrainingSpec

__all__ = [
    "DATASETS",
    "JOB_KINDS",
    "JOB_SPEC",
    "AgentSpec",
    "AnalysisQuestion",
    "AnalysisSpec",
    "AnyTaskSpec",
    "ArraysDataset",
    "AssociationRule",
    "AssociationSpec",
    "AtariTask",
    "CapacityAnalysis",
    "CascadeRule",
    "CheckSpec",
    "CheckedSpec",
    "Choices",
    "Control",
    "ConvSpec",
    "DatasetInfo",
    "DatasetName",
    "DatasetSpec",
    "DropoutMethod",
    "EnvironmentSpec",
    "EwcMethod",
    "EwcRule",
    "ExecutionSpec",
    "ExplicitSchedule",
    "FisherEstimator",
    "FlatInference",
    "FloatRange",
    "FmnInference",
    "GameEvaluationSpec",
    "GameEwcMethod",
    "GameL2Method",
    "GradientDescentRule",
    "GymnasiumTask",
    "HeadKind",
    "HeadSpec",
    "IntRange",
    "JobKind",
    "JobSpec",
    "JointMethod",
    "L2Method",
    "LearningSpec",
    "LikelihoodName",
    "MLPSpec",
    "MasMethod",
    "MethodSpec",
    "NaiveMethod",
    "NetworkSpec",
    "OnlineEwcMethod",
    "OnlineEwcRule",
    "OpenMLDataset",
    "OptimiserName",
    "OracleInference",
    "OverlapAnalysis",
    "PenaltyStep",
    "PermutedTask",
    "PerturbationAnalysis",
    "PlainTask",
    "PluginDataset",
    "PluginNetworkSpec",
    "Priority",
    "QFisherSpec",
    "QNetworkSpec",
    "Reference",
    "ReinforcementSpec",
    "RotatedTask",
    "RoundsSchedule",
    "Scalar",
    "ScheduleSpec",
    "SearchRange",
    "Segment",
    "SiMethod",
    "Slot",
    "Spec",
    "SplitTask",
    "SupervisedSpec",
    "SweepSpec",
    "TaskInferenceSpec",
    "TaskSpec",
    "TrainingSpec",
    "check_next_task",
    "conv_input_channels",
    "count_parameters",
    "dataset_files_missing",
    "dataset_info",
    "dataset_title",
    "num_outputs_needed",
    "rule_title",
    "task_shape",
]
