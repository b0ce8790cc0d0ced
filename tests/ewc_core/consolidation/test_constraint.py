"""Constraints as bytes."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

from ewc_core import tensor_file
from ewc_core.consolidation import Constraint, weights_sha256
from ewc_core.errors import StateFormatError
from ewc_core.fisher import FisherInfo
from tests.ewc_core.consolidation.constraints import random_constraint


def _constraint() -> Constraint:
    return random_constraint(2, ewc_lambda=0.1, dtype=torch.float32)


def _metadata(**changes: str) -> dict[str, str]:
    info = json.dumps(dataclasses.asdict(_constraint().info))
    return {"version": "1", "task_index": "2", "ewc_lambda": "0.1", "info": info, **changes}


def test_a_constraint_survives_its_bytes() -> None:
    constraint = dataclasses.replace(_constraint(), info=FisherInfo("exact", "categorical", 5, seed=2**62 + 1))
    again = Constraint.from_bytes(constraint.to_bytes())
    assert (again.task_index, again.ewc_lambda, again.info) == (2, 0.1, constraint.info)
    assert weights_sha256(again.fisher) == weights_sha256(constraint.fisher)
    assert weights_sha256(again.anchor) == weights_sha256(constraint.anchor)
    assert again.to_bytes() == constraint.to_bytes()


def test_a_merged_penalty_does_not_notice_storage() -> None:
    from ewc_core.consolidation import merge
    from tests.ewc_core.consolidation.constraints import LAYOUT

    constraints = [random_constraint(index, dtype=torch.float32) for index in range(3)]
    direct, stored = merge(constraints, LAYOUT), merge([Constraint.from_bytes(c.to_bytes()) for c in constraints], LAYOUT)
    assert direct is not None
    assert stored is not None
    assert torch.equal(direct.precision, stored.precision)
    assert torch.equal(direct.centre, stored.centre)
    assert direct.constant == stored.constant


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (_metadata(version="9"), "version '9'"),
        (_metadata(task_index="-1"), "task_index is -1"),
        (_metadata(task_index="true"), "task_index is True"),
        (_metadata(ewc_lambda="NaN"), "ewc_lambda is nan"),
        (_metadata(ewc_lambda="-1"), "ewc_lambda is -1"),
        (_metadata(ewc_lambda="x"), "metadata 'ewc_lambda' is 'x', expected JSON"),
        (_metadata(info="{}"), "info is {}"),
    ],
)
def test_wrong_metadata_is_refused(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(StateFormatError, match=message):
        Constraint.from_bytes(tensor_file.encode({}, metadata, kind="ewc-constraint"))


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"fisher.w": torch.ones(2)}, "differ in names"),
        ({"fisher.w": torch.ones(2), "anchor.w": torch.ones(3)}, "differ in names, shapes"),
        ({"other": torch.ones(2)}, "unexpected tensors"),
        ({"fisher.w": torch.ones(1).double(), "anchor.w": torch.ones(1).double()}, "expected torch.float32"),
        ({"fisher.w": torch.tensor([torch.nan]), "anchor.w": torch.ones(1)}, "NaN"),
        ({"fisher.w": torch.tensor([-1.0]), "anchor.w": torch.ones(1)}, "negative"),
    ],
)
def test_tensors_that_no_constraint_has_are_refused(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(StateFormatError, match=message):
        Constraint.from_bytes(tensor_file.encode(tensors, _metadata(), kind="ewc-constraint"))


def test_damaged_bytes_are_refused() -> None:
    data = bytearray(_constraint().to_bytes())
    data[-1] ^= 1
    with pytest.raises(StateFormatError, match="damaged"):
        Constraint.from_bytes(bytes(data))
