"""Whether a task that is announced while a job runs fits the job."""

from __future__ import annotations

from collections.abc import Sequence

from ewc_core.errors import SpecError
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.environments import AtariTask, GymnasiumTask
from ewc_core.specs.job import LearningSpec
from ewc_core.specs.reinforcement import ReinforcementSpec, check_next_environment
from ewc_core.specs.supervised import check_next_task


def check_announced_task(spec: LearningSpec, seen: Sequence[AnyTaskSpec], task: AnyTaskSpec) -> None:
    """Check that an announced task fits a running job, as far as the specs alone say.

    Raises:
        SpecError: a game for a supervised job, or data for one that plays games; it does not fit the network; there are too
            many tasks.
    """
    games = [other for other in (*seen, task) if isinstance(other, AtariTask | GymnasiumTask)]
    if isinstance(spec, ReinforcementSpec):
        if not isinstance(task, AtariTask | GymnasiumTask):
            raise SpecError(
                f"task.kind {task.kind!r} is a task on data; a reinforcement job plays games: 'atari' or 'gymnasium'",
                field="task.kind",
            )
        check_next_environment(spec, games[:-1], task)
        return
    if isinstance(task, AtariTask | GymnasiumTask):
        raise SpecError(f"task.kind {task.kind!r} is a game; a supervised job learns from data", field="task.kind")
    check_next_task(spec, [other for other in seen if not isinstance(other, AtariTask | GymnasiumTask)], task)
