"""From the spec of a job to its run: the implementation that the registry of kinds names, loaded when it is needed."""

from __future__ import annotations

from ewc_core.implementations import implementation
from ewc_core.specs import JobSpec, LearningSpec
from ewc_core.training.stored import StoredJob
from ewc_core.training.units import UnitRun
from ewc_core.training.visits import VisitRun


def take_up_tasks(spec: LearningSpec, stored: StoredJob) -> VisitRun:
    """The run of a job with tasks, fresh or at its resume point.

    Raises:
        SpecError: what the job needs is not there, or does not fit together; PluginFailed, EnvironmentFailed: all that is wrong
            with code of users.
        ResumePointDamaged, CheckpointDamaged, StateFormatError: what is stored of it is not what was written.
        DataChanged: a task's data are not what they were when they were first read.
    """
    run: VisitRun = implementation(spec.run)(spec, stored)
    return run


def take_up_units(spec: JobSpec, stored: StoredJob) -> UnitRun:
    """The run of a job without tasks, fresh or at its resume point. Raises the same, and what its own subject raises."""
    run: UnitRun = implementation(spec.run)(spec, stored)
    return run
