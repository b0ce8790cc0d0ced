"""Which outputs tasks use."""

from __future__ import annotations

import pytest
import torch

from ewc_core.errors import SpecError
from ewc_core.specs import HeadKind, HeadSpec, LikelihoodName
from ewc_core.supervised.heads import HeadPlan, HeadView, check_head

OUTPUTS = torch.arange(10.0).expand(2, 10)
LABELS = torch.tensor([0, 1])


def _plan(kind: str, sizes: list[int], num_outputs: int | None = None) -> HeadPlan:
    return HeadPlan(HeadSpec.model_validate({"kind": kind, "num_outputs": num_outputs}), sizes)


def test_a_shared_head_is_all_outputs_for_every_task() -> None:
    plan = _plan("shared", [10, 10])
    assert plan.num_outputs == 10
    assert plan.view(1) == HeadView(0, 10, 10)
    assert plan.select(1) is None
    assert plan.view(0).targets(LABELS) is LABELS


def test_multiple_heads_are_blocks_side_by_side() -> None:
    plan = _plan("multi", [2, 3])
    assert plan.num_outputs == 5
    view = plan.view(1)
    assert view.outputs(OUTPUTS).tolist() == [[2.0, 3.0, 4.0]] * 2
    assert view.targets(LABELS).tolist() == [0, 1]


def test_a_growing_head_lets_all_seen_outputs_compete_and_moves_labels_to_their_block() -> None:
    plan = _plan("growing", [2, 3, 2])
    assert plan.num_outputs == 7
    view = plan.view(1, num_seen=2)
    assert view.outputs(OUTPUTS).tolist() == [[0.0, 1.0, 2.0, 3.0, 4.0]] * 2
    assert view.targets(LABELS).tolist() == [2, 3]
    assert plan.view(0, num_seen=2).targets(LABELS).tolist() == [0, 1]
    assert plan.view(2).stop == 7


@pytest.mark.parametrize("kind", ["multi", "growing"])
def test_reserved_outputs_are_given_to_announced_tasks_until_they_are_used_up(kind: str) -> None:
    plan = _plan(kind, [2], num_outputs=5)
    plan.add(3)
    assert plan.view(1, num_seen=2).stop == 5
    with pytest.raises(SpecError, match="needs outputs up to 7, the network has 5"):
        plan.add(2)


def test_a_shared_head_refuses_a_task_of_another_size() -> None:
    with pytest.raises(SpecError, match="task 1 has 3 outputs, the first task 2") as caught:
        _plan("shared", [2, 3])
    assert caught.value.field == "tasks.1.dataset"


def test_only_classes_can_compete() -> None:
    check_head(HeadKind.GROWING, LikelihoodName.CATEGORICAL, 0)
    check_head(HeadKind.MULTI, LikelihoodName.GAUSSIAN, 0)
    with pytest.raises(SpecError, match="task 1 has gaussian targets"):
        check_head(HeadKind.GROWING, LikelihoodName.GAUSSIAN, 1)
