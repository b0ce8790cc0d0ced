"""The oracle, and which recogniser a spec asks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.specs.task_inference import FlatInference, FmnInference, OracleInference
from ewc_core.task_inference import make_recogniser
from ewc_core.task_inference.flat import FlatRecogniser
from ewc_core.task_inference.fmn_recogniser import FmnRecogniser
from ewc_core.task_inference.recogniser import Oracle

NOTHING = np.zeros(1, dtype=np.uint8)


def test_the_oracle_believes_what_it_is_told() -> None:
    oracle = Oracle()
    assert oracle.identify([NOTHING]) is None
    assert [oracle.step(NOTHING, announced=task) for task in (0, 2, 1)] == [0, 2, 1]
    assert (oracle.num_tasks, oracle.num_settled, oracle.posterior) == (3, 3, 1.0)
    assert oracle.identify([NOTHING]) == 1


def test_the_oracle_goes_on_from_its_state() -> None:
    oracle, other = Oracle(), Oracle()
    other.load_state(oracle.state())
    assert other.identify([NOTHING]) is None
    oracle.step(NOTHING, announced=3)
    other.load_state(oracle.state())
    assert (other.num_tasks, other.num_settled, other.identify([NOTHING])) == (4, 1, 3)
    with pytest.raises(StateFormatError, match="oracle"):
        other.load_state({"other": torch.zeros(1)})


@pytest.mark.parametrize(
    ("spec", "kind"),
    [(OracleInference(), Oracle), (FlatInference(kind="flat"), FlatRecogniser), (FmnInference(kind="fmn"), FmnRecogniser)],
)
def test_a_spec_gets_the_recogniser_that_it_names(spec: OracleInference | FlatInference | FmnInference, kind: type) -> None:
    assert isinstance(make_recogniser(spec, num_symbols=3, num_levels=2, seed=0), kind)
