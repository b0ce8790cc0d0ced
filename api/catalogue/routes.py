"""The catalogue."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

from fastapi import APIRouter
from pydantic import BaseModel, TypeAdapter

from api.catalogue.schemas import Catalogue, Dataset, JobState, Kind, Plugins, ScoreKind
from api.jobs.moves import moves_from
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep
from api.task_switches.schemas import TaskSwitchRequest
from ewc_core.metrics import SCORES
from ewc_core.specs import (
    DATASETS,
    JOB_KINDS,
    JOB_SPEC,
    ArraysDataset,
    AtariTask,
    CapacityAnalysis,
    ConvSpec,
    DropoutMethod,
    EwcMethod,
    GymnasiumTask,
    JointMethod,
    L2Method,
    MasMethod,
    MLPSpec,
    NaiveMethod,
    OnlineEwcMethod,
    OpenMLDataset,
    OverlapAnalysis,
    PermutedTask,
    PerturbationAnalysis,
    PlainTask,
    PluginDataset,
    PluginNetworkSpec,
    RotatedTask,
    SiMethod,
    SplitTask,
    dataset_files_missing,
)
from ewc_core.specs.datasets import TASK_SOURCE_PLUGINS
from ewc_core.specs.network import NETWORK_PLUGINS
from ewc_core.specs.plugins import installed_plugins
from store.job_states import FINISHED, JobStatus, allowed_from

router = APIRouter(prefix="/v1/catalogue", tags=["catalogue"], route_class=AuthenticatedRoute)
NETWORKS: tuple[type[BaseModel], ...] = (MLPSpec, ConvSpec, PluginNetworkSpec)
METHODS: tuple[type[BaseModel], ...] = (
    NaiveMethod,
    L2Method,
    DropoutMethod,
    EwcMethod,
    OnlineEwcMethod,
    SiMethod,
    MasMethod,
    JointMethod,
)
TASKS: tuple[type[BaseModel], ...] = (PermutedTask, PlainTask, RotatedTask, SplitTask, AtariTask, GymnasiumTask)
DATASET_KINDS: tuple[type[BaseModel], ...] = (ArraysDataset, OpenMLDataset, PluginDataset)
ANALYSES: tuple[type[BaseModel], ...] = (OverlapAnalysis, PerturbationAnalysis, CapacityAnalysis)


@router.get("", operation_id="get_catalogue")
def get(_caller: Reader, services: ServicesDep) -> Catalogue:
    """Networks, methods, tasks, data sets, analyses, scores, plug-ins and job states, each with what is needed to ask for it."""
    return Catalogue(
        job=JOB_SPEC.json_schema(),
        task_switch=TypeAdapter(TaskSwitchRequest).json_schema(),
        job_kinds=[_kind(spec) for spec in JOB_KINDS.values()],
        networks=[_kind(spec) for spec in NETWORKS],
        methods=[_kind(spec) for spec in METHODS],
        tasks=[_kind(spec) for spec in TASKS],
        dataset_kinds=[_kind(spec) for spec in DATASET_KINDS],
        datasets=_datasets(services.settings.data_dir),
        analyses=[_kind(spec) for spec in ANALYSES],
        scores=[ScoreKind(**{name: getattr(score, name) for name in ScoreKind.model_fields}) for score in SCORES.values()],
        plugins=Plugins(networks=installed_plugins(NETWORK_PLUGINS), task_sources=installed_plugins(TASK_SOURCE_PLUGINS)),
        job_states=[_state(status) for status in JobStatus],
    )


def _kind(spec: type[BaseModel]) -> Kind:
    return Kind(
        kind=get_args(spec.model_fields["kind"].annotation)[0],
        description=inspect.getdoc(spec) or "",
        json_schema=spec.model_json_schema(),
    )


def _datasets(data_dir: Path | None) -> list[Dataset]:
    datasets = []
    for info in DATASETS.values():
        missing = dataset_files_missing(info.name, data_dir)
        fields = {name: value for name, value in vars(info).items() if name != "files"}
        datasets.append(Dataset(**fields, available=not missing, missing_files=missing))
    return datasets


def _state(status: JobStatus) -> JobState:
    following = [JobStatus(name) for name in allowed_from(status)]
    return JobState(status=status, final=status in FINISHED, next=following, allowed_actions=moves_from(status))
