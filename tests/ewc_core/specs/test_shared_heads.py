"""Tasks of different sizes under a shared head, as far as specs alone say."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ewc_core.errors import SpecError
from ewc_core.specs import SplitTask, SupervisedSpec, check_next_task, num_outputs_needed

_SIZES = ([0, 1, 2, 3], [4, 5, 6], [7])


def _split(classes: list[int]) -> dict[str, Any]:
    return {"kind": "split", "dataset": "digits", "classes": classes}


def _spec(*tasks: list[int], **changes: Any) -> SupervisedSpec:
    body = {"method": {"kind": "naive"}, "tasks": [_split(classes) for classes in tasks], "stream": "open"}
    return SupervisedSpec.model_validate({**body, **changes})


def test_tasks_may_lack_classes_of_a_head_whose_size_is_given() -> None:
    spec = _spec(*_SIZES, heads={"num_outputs": 4})
    assert num_outputs_needed(spec.heads, spec.tasks) == 4
    check_next_task(spec, spec.tasks, SplitTask.model_validate(_split([8, 9])))


def test_a_task_with_more_classes_than_the_head_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"heads\.num_outputs is 3, but the tasks need 4 outputs"):
        _spec(*_SIZES, heads={"num_outputs": 3})
    spec = _spec([0], heads={"num_outputs": 3})
    with pytest.raises(SpecError, match="but the tasks need 4 outputs") as caught:
        check_next_task(spec, spec.tasks, SplitTask.model_validate(_split([1, 2, 3, 4])))
    assert caught.value.field == "task.dataset"


def test_without_a_size_tasks_of_different_sizes_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValidationError, match=r"3 outputs, the first task .* and 4; .* give heads\.num_outputs where"):
        _spec(*_SIZES)


def test_inputs_of_another_shape_are_refused_whatever_the_head() -> None:
    with pytest.raises(ValidationError, match=r"inputs of shape \[1, 28, 28\] and 10 outputs"):
        _spec([0], heads={"num_outputs": 10}, tasks=[_split([0]), {"dataset": "mnist"}])


def test_jobs_stored_without_a_version_refuse_what_they_refused() -> None:
    with pytest.raises(ValidationError, match="one network learns them all"):
        _spec(*_SIZES, heads={"num_outputs": 4}, spec_version=1)
