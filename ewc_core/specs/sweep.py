"""The spec of a sweep: a search over fields of a job, scored without looking at test data or at later tasks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from ewc_core.errors import SpecError
from ewc_core.specs.base import Spec, refuse, require_all
from ewc_core.specs.searched_fields import Scalar, with_fields
from ewc_core.specs.supervised import JobName, Metadata, SupervisedSpec, num_outputs_needed

MAX_TRIALS = 1000
MAX_JOB_METADATA = 14  # of 16: the service adds which trial of which sweep a job is
_MAX_COMBINATIONS_CHECKED = 256


class FloatRange(Spec):
    """Real numbers from `low` to `high`, both included; with `log` evenly spread over orders of magnitude."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> FloatRange:
        _require_range(self.low, self.high, log=self.log)
        return self


class IntRange(Spec):
    """Whole numbers from `low` to `high`, both included; with `log` evenly spread over orders of magnitude."""

    kind: Literal["int"] = "int"
    low: Annotated[int, Field(ge=-(2**53), le=2**53)]
    high: Annotated[int, Field(ge=-(2**53), le=2**53)]
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> IntRange:
        _require_range(self.low, self.high, log=self.log)
        return self


class Choices(Spec):
    """One of a few values, in no order."""

    kind: Literal["choices"] = "choices"
    values: list[Scalar] = Field(min_length=1, max_length=100)

    @field_validator("values")
    @classmethod
    def _values_differ(cls, values: list[Scalar]) -> list[Scalar]:
        if len(set(values)) != len(values):
            raise ValueError(f"values {values} must differ from each other")
        return values


def _kind_of_range(value: Any) -> str | None:
    kind = value.get("kind", "float") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if isinstance(kind, str) else None


SearchRange = Annotated[
    Annotated[FloatRange, Tag("float")] | Annotated[IntRange, Tag("int")] | Annotated[Choices, Tag("choices")],
    Discriminator(
        _kind_of_range,
        custom_error_type="range_kind",
        custom_error_message="a range's 'kind' is 'float' (the default), 'int' or 'choices'",
    ),
]


class SweepSpec(Spec):
    """Train `job` with `num_trials` settings of the fields in `search`, and find the best.

    `search` maps dotted fields of the job's method, network or training (such as `method.ewc_lambda`) to ranges. Every
    trial is an ordinary job with the same seed and data, without controls, evaluated on validation data: the
    `training.num_validation_examples` of each task that no trial trains on. Its score is the mean over all tasks of the
    job of the validation score after the last visit: accuracy in [0, 1], or R² for real-valued targets; higher is
    better. No trial reads a test set, and none sees a task that is not in `job.tasks`, so tasks that come after them
    stay unseen too: what is found can be judged on both.

    `sampler` "grid" tries every combination of choices in order, "random" draws, "tpe" learns from the trials finished
    so far. No setting is tried twice. Up to `max_parallel` trials are trained at a time; with one at a time a sweep is
    repeatable from its `seed`, with more the proposals of "tpe" also depend on which trials finish first.
    """

    name: JobName | None = None
    job: SupervisedSpec
    search: dict[Annotated[str, Field(min_length=1, max_length=128)], SearchRange] = Field(min_length=1, max_length=16)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    num_trials: int = Field(default=20, ge=1, le=MAX_TRIALS)
    max_parallel: int = Field(default=2, ge=1, le=64)
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="every random choice follows from it")
    metadata: Metadata = Field(default={}, max_length=16)

    def trial_job(self, parameters: Mapping[str, Scalar]) -> SupervisedSpec:
        """The job of one trial: the fields set, and nothing that could look at test data.

        Raises:
            SpecError: the values make no valid job.
        """
        job = with_fields(self.job, parameters)
        training = job.training.model_copy(update={"evaluate_on": "validation", "evaluate_every": None})
        return job.model_copy(update={"training": training, "controls": [], "stream": "closed"})

    def final_job(self, parameters: Mapping[str, Scalar]) -> SupervisedSpec:
        """The job that tells what a setting is worth: with the controls of the sweep's job, evaluated on test data.

        Raises:
            SpecError: the values make no valid job.
        """
        job = with_fields(self.job, parameters)
        return job.model_copy(update={"training": job.training.model_copy(update={"evaluate_on": "test"})})

    @model_validator(mode="after")
    def _values_fit_together(self) -> SweepSpec:
        require_all(self._require_a_job_to_sweep, self._require_a_finite_grid, self._require_valid_settings)
        return self

    def _require_a_job_to_sweep(self) -> None:
        refuse(
            "job.training.num_validation_examples is 0, so there is nothing to score trials on; set it to the number of "
            "training examples that each task can spare, for instance a tenth of them"
            if self.job.training.num_validation_examples == 0
            else None,
            "job.stream is 'open', but every trial has to learn the same tasks; it must be 'closed'"
            if self.job.stream != "closed"
            else None,
            f"job.metadata has {len(self.job.metadata)} entries; at most {MAX_JOB_METADATA} leave room for the two that "
            "say which trial of which sweep a job is"
            if len(self.job.metadata) > MAX_JOB_METADATA
            else None,
        )

    def _require_a_finite_grid(self) -> None:
        if self.sampler != "grid":
            return
        endless = {name: range_.kind for name, range_ in self.search.items() if not isinstance(range_, Choices)}
        refuse(
            *(f"search.{name} is a range of kind {kind!r}; sampler 'grid' needs kind 'choices'" for name, kind in endless.items())
        )
        size = math.prod(len(_extremes(range_)) for range_ in self.search.values())
        if size > self.num_trials:
            raise ValueError(f"num_trials is {self.num_trials}, but the grid has {size} combinations; set num_trials to {size}")

    def _require_valid_settings(self) -> None:
        """Every combination of choices and ends of ranges; each of them alone where that would be too many."""
        job = _with_one_task(self.job)
        extremes = {name: _extremes(range_) for name, range_ in self.search.items()}
        settings: Iterator[dict[str, Scalar]]
        if math.prod(map(len, extremes.values())) <= _MAX_COMBINATIONS_CHECKED:
            settings = (dict(zip(extremes, values, strict=True)) for values in itertools.product(*extremes.values()))
        else:
            settings = ({name: value} for name, values in extremes.items() for value in values)
        refuse(*_misfits(job, settings))


def _require_range(low: float, high: float, *, log: bool) -> None:
    refuse(
        f"low {low} must be less than high {high}" if not low < high else None,
        f"low {low} must be above 0 with log" if log and low <= 0 else None,
    )


def _extremes(range_: FloatRange | IntRange | Choices) -> list[Scalar]:
    return list(range_.values) if isinstance(range_, Choices) else [range_.low, range_.high]


def _with_one_task(job: SupervisedSpec) -> SupervisedSpec:
    """A job that is valid with the same settings and quicker to check: of the tasks they only see the number of outputs."""
    num_outputs = num_outputs_needed(job.heads, job.tasks)
    return job.model_copy(
        update={"tasks": job.tasks[:1], "heads": job.heads.model_copy(update={"num_outputs": num_outputs}), "metadata": {}}
    )


def _misfits(job: SupervisedSpec, settings: Iterator[dict[str, Scalar]]) -> Iterator[str]:
    """What is wrong with each setting: the values that are no good alone either, each told once, or all of it together."""
    told: set[tuple[str, Scalar]] = set()
    for setting in settings:
        if told.isdisjoint(setting.items()) and (together := _error(job, setting)) is not None:
            alone = {item: error for item in setting.items() if (error := _error(job, dict([item]))) is not None}
            told.update(alone)
            yield from (f"{error.field}: {error}" for error in alone.values() or [together])


def _error(job: SupervisedSpec, setting: Mapping[str, Scalar]) -> SpecError | None:
    try:
        with_fields(job, setting)
    except SpecError as error:
        return error
    return None
