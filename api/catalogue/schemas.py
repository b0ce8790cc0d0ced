"""The body of the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from api.schemas import Resource
from store.job_states import JobStatus


class Kind(Resource):
    """Something that a job spec can name by `kind`, with the JSON Schema of its fields."""

    kind: str
    description: str
    json_schema: Mapping[str, Any]


class Dataset(Resource):
    """A data set; `missing_files` are relative to the folder that EWC_DATA_DIR names."""

    name: str
    title: str
    input_shape: Sequence[int]
    num_features: int
    num_classes: int
    num_training_examples: int
    num_test_examples: int
    available: bool
    missing_files: Sequence[str]


class Plugins(Resource):
    """Names that installed packages offer: of networks, and of data sets (`task_sources`)."""

    networks: Sequence[str]
    task_sources: Sequence[str]


class ScoreKind(Resource):
    """What the scores of a task can be. `ratios` says whether one may be divided by another; `undefined` when there is none;
    `chance` what who knows nothing scores: "1/K" with one choice of K, null where it is not known."""

    name: str
    better: Literal["higher", "lower"]
    description: str
    undefined: str | None
    ratios: Literal["always", "never", "where never negative"]
    chance: float | Literal["1/K"] | None


class JobState(Resource):
    """A job status: which can follow it, and which requests its owner can make."""

    status: JobStatus
    final: bool
    next: Sequence[JobStatus]
    allowed_actions: Sequence[str]


class Catalogue(Resource):
    """Everything that can be asked of this service."""

    object: Literal["catalogue"] = "catalogue"
    job: Mapping[str, Any]
    task_switch: Mapping[str, Any]
    job_kinds: Sequence[Kind]
    networks: Sequence[Kind]
    methods: Sequence[Kind]
    tasks: Sequence[Kind]
    dataset_kinds: Sequence[Kind]
    datasets: Sequence[Dataset]
    analyses: Sequence[Kind]
    scores: Sequence[ScoreKind]
    plugins: Plugins
    job_states: Sequence[JobState]
