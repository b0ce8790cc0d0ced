"""What only informs cannot stop an agent."""

from __future__ import annotations

import pytest

from ewc_core.events import EpisodesLogged, Evaluated, StepLogged, Warned
from ewc_core.reinforcement.learner import QLearner
from ewc_core.reinforcement.run import run
from tests.ewc_core.reinforcement.jobs import job


def _breaks(learner: QLearner) -> float:
    raise RuntimeError("not for this network")


def test_a_curve_that_cannot_be_drawn_is_an_event_and_the_agent_plays_on_with_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = job(visits=(0,), num_steps=160, controls=["naive"])
    expected = list(run(spec))
    monkeypatch.setattr(QLearner, "penalty", _breaks)
    events = list(run(spec))
    for kind in (EpisodesLogged, Evaluated):
        assert [event for event in events if isinstance(event, kind)] == [e for e in expected if isinstance(e, kind)]
    steps = [event for event in events if isinstance(event, StepLogged)]
    assert [event.losses for event in steps] == [event.losses for event in expected if isinstance(event, StepLogged)]
    assert all(event.penalties == {} for event in steps)
    (warning,) = (event for event in events if isinstance(event, Warned))
    assert warning.code == "diagnostic_failed"
    assert warning.message.startswith("the penalty's curve could not be made, and training goes on without it: ")
