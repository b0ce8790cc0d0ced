"""Resume points as bytes."""

from __future__ import annotations

import pytest
import torch

from ewc_core import tensor_file
from ewc_core.errors import StateFormatError
from ewc_core.resume import ResumePoint


def test_a_point_survives_its_bytes() -> None:
    point = ResumePoint(visit_index=3, step=41, tensors={"ewc.parameters": torch.tensor([1.0, -0.0, 1e-42])})
    again = ResumePoint.from_bytes(point.to_bytes())
    assert (again.visit_index, again.step) == (3, 41)
    assert again.to_bytes() == point.to_bytes()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"version": "2", "visit_index": "0", "step": "0"}, "version '2'"),
        ({"version": "1", "visit_index": "-1", "step": "0"}, "visit_index is '-1'"),
        ({"version": "1", "visit_index": "0"}, "step is ''"),
        ({"version": "1", "visit_index": "0", "step": "1.5"}, r"step is '1\.5'"),
    ],
)
def test_wrong_metadata_is_refused(metadata: dict[str, str], message: str) -> None:
    data = tensor_file.encode({}, metadata, kind="ewc-resume-point")
    with pytest.raises(StateFormatError, match=message):
        ResumePoint.from_bytes(data)


def test_a_constraint_is_not_a_resume_point() -> None:
    with pytest.raises(StateFormatError, match="expected 'ewc-resume-point'"):
        ResumePoint.from_bytes(tensor_file.encode({}, {}, kind="ewc-constraint"))
