"""The target of Double DQN, and the loss on the clipped error."""

from __future__ import annotations

import pytest
import torch

from ewc_core.reinforcement.td import double_dqn_targets, td_loss, td_loss_gradient
from ewc_core.seeding import generator


def test_the_online_network_chooses_the_action_and_the_target_network_values_it() -> None:
    online = torch.tensor([[1.0, 5.0, 2.0], [3.0, 0.0, -1.0], [0.0, 0.0, 9.0]])
    target = torch.tensor([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0], [70.0, 80.0, 90.0]])
    rewards, continues = torch.tensor([1.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, 0.0])

    targets = double_dqn_targets(rewards, continues, online, target, discount=0.5)

    # The target network alone would have taken 30 and 60; nothing follows where the episode ended.
    assert targets.tolist() == [1.0 + 0.5 * 20.0, -1.0 + 0.5 * 40.0, 0.5]


@pytest.mark.parametrize("td_clip", [1.0, 0.25])
def test_the_gradient_of_an_example_is_its_error_cut_to_the_clip(td_clip: float) -> None:
    errors = torch.tensor([-3.0, -0.2, 0.0, 0.1, 7.0])
    q_values = torch.zeros(5, 2)
    q_values[torch.arange(5), torch.tensor([0, 1, 0, 1, 0])] = errors
    q_values.requires_grad_(True)

    td_loss(q_values, torch.tensor([0, 1, 0, 1, 0]), torch.zeros(5), td_clip=td_clip).backward()

    assert q_values.grad is not None
    taken = q_values.grad[torch.arange(5), torch.tensor([0, 1, 0, 1, 0])]
    torch.testing.assert_close(taken * 5, errors.clamp(-td_clip, td_clip))  # times 5: the loss is a mean
    assert float(q_values.grad.abs().sum() - taken.abs().sum()) == 0.0  # actions not taken learn nothing


def test_an_error_within_the_clip_costs_half_its_square() -> None:
    loss = td_loss(torch.tensor([[0.5], [2.0]]), torch.tensor([0, 0]), torch.zeros(2), td_clip=1.0)
    assert float(loss) == pytest.approx((0.5 * 0.5**2 + 1.0 * (2.0 - 0.5)) / 2)


@pytest.mark.parametrize("td_clip", [1.0, 0.25])
def test_the_closed_form_is_the_loss_and_the_gradient_of_autograd(td_clip: float) -> None:
    q_values = torch.randn(40, 3, generator=generator(0)).mul_(2.0).requires_grad_(True)
    actions, targets = torch.arange(40) % 3, torch.randn(40, generator=generator(1))
    loss = td_loss(q_values, actions, targets, td_clip=td_clip)
    loss.backward()

    closed, gradient = td_loss_gradient(q_values.detach(), actions, targets, td_clip=td_clip)

    torch.testing.assert_close(closed, loss.detach())
    torch.testing.assert_close(gradient, q_values.grad)
