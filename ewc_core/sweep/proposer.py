"""What a sweep tries next. A pure function of the record: whoever has the same trials proposes the same setting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ewc_core.derived_seed import derive_seed
from ewc_core.specs import Choices, FloatRange, IntRange, Scalar, SearchRange, SweepSpec
from ewc_core.sweep.trials import Trial, next_number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_MAX_DRAWS = 16


def propose(spec: SweepSpec, finished: Sequence[Trial], pending: Sequence[Trial]) -> dict[str, Scalar] | None:
    """The setting of the next trial; None when all trials are made or no untried setting is left.

    Trials that are being trained count as if they were no good ("constant liar"), so that trials at the same time do
    not crowd together. The seed comes from the sweep's and the number of the next trial. A setting that was tried
    already would give the same bits again and is drawn anew.
    """
    number = next_number(finished, pending)
    if number >= spec.num_trials:
        return None
    search = dict(sorted(spec.search.items()))  # a database may keep the fields in another order
    tried = [dict(trial.parameters) for trial in (*finished, *pending)]
    if spec.sampler != "grid":
        for draw in range(_MAX_DRAWS):
            setting = _draw(spec.sampler, search, finished, pending, seed=derive_seed(spec.seed, "sweep", number, draw) % 2**32)
            if setting not in tried:
                return setting
    return next((setting for setting in _all_settings(search) if setting not in tried), None)


def _draw(
    kind: str, search: Mapping[str, SearchRange], finished: Sequence[Trial], pending: Sequence[Trial], *, seed: int
) -> dict[str, Scalar]:
    import optuna  # takes a while to load, and only sweeps need it

    space = {name: _distribution(range_) for name, range_ in search.items()}
    sampler = optuna.samplers.RandomSampler(seed) if kind == "random" else optuna.samplers.TPESampler(seed=seed)
    running = {trial.number for trial in pending}
    with _silent_optuna():
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in sorted((*finished, *pending), key=lambda trial: trial.number):
            study.add_trial(_past(trial, search, space, is_running=trial.number in running))
        drawn = study.ask(space).params
    return {name: _from_optuna(range_, drawn[name]) for name, range_ in search.items()}


def _past(
    trial: Trial, search: Mapping[str, SearchRange], space: dict[str, BaseDistribution], *, is_running: bool
) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    ended = TrialState.FAIL if trial.score is None else TrialState.COMPLETE
    return create_trial(
        state=TrialState.RUNNING if is_running else ended,
        params={name: _to_optuna(search[name], value) for name, value in trial.parameters.items()},
        distributions=space,
        value=trial.score,
    )


def _distribution(range_: SearchRange) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match range_:
        case Choices():  # by position: 1, 1.0 and True are one and the same to Optuna
            return CategoricalDistribution(range(len(range_.values)))
        case IntRange():
            return IntDistribution(range_.low, range_.high, log=range_.log)
        case FloatRange():
            return FloatDistribution(range_.low, range_.high, log=range_.log)


def _to_optuna(range_: SearchRange, value: Scalar) -> Scalar:
    return range_.values.index(value) if isinstance(range_, Choices) else value


def _from_optuna(range_: SearchRange, value: Scalar) -> Scalar:
    return range_.values[int(value)] if isinstance(range_, Choices) else value


def _all_settings(search: Mapping[str, SearchRange]) -> Iterator[dict[str, Scalar]]:
    """Every setting of a finite search, the last field changing fastest; nothing for a search over real numbers."""
    fields: dict[str, Sequence[Scalar]] = {}
    for name, range_ in search.items():
        if isinstance(range_, FloatRange):
            return
        fields[name] = range_.values if isinstance(range_, Choices) else range(range_.low, range_.high + 1)
    for index in range(math.prod(map(len, fields.values()))):
        setting: dict[str, Scalar] = {}
        rest = index
        for name, values in reversed(fields.items()):
            rest, place = divmod(rest, len(values))
            setting[name] = values[place]
        yield {name: setting[name] for name in fields}


@contextmanager
def _silent_optuna() -> Iterator[None]:
    """Optuna tells standard error about every study that it makes; its own level is put back afterwards."""
    from optuna import logging

    level = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(level)
