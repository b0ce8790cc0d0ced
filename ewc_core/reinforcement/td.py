"""Temporal differences: the target of Double DQN, and the loss on the clipped error."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def double_dqn_targets(
    rewards: Tensor, continues: Tensor, online_next: Tensor, target_next: Tensor, *, discount: float
) -> Tensor:
    """y = r + discount · continues · Q_target(s', argmax_a Q_online(s', a)) (van Hasselt et al. 2016); [n] float32.

    `rewards` [n]; `continues` [n] is 0 where the episode ended at this step, else 1; `online_next` and `target_next` are the
    Q-values [n, num_actions] of the next states.
    """
    best = online_next.argmax(dim=1, keepdim=True)
    return rewards + discount * continues * target_next.gather(1, best).squeeze(1)


def td_loss(q_values: Tensor, actions: Tensor, targets: Tensor, *, td_clip: float) -> Tensor:
    """Mean over the minibatch of the Huber loss of Q(s, a) − y: its gradient per example is the error, cut to ±`td_clip`.

    ½ error² within ±td_clip, td_clip · (|error| − ½ td_clip) outside. `q_values` [n, num_actions], `actions` int64 [n],
    `targets` [n] without gradient.
    """
    chosen = q_values.gather(1, actions.unsqueeze(1)).squeeze(1)
    return functional.huber_loss(chosen, targets, delta=td_clip)


def td_loss_gradient(q_values: Tensor, actions: Tensor, targets: Tensor, *, td_clip: float) -> tuple[Tensor, Tensor]:
    """`td_loss`, and its gradient by the Q-values in closed form: δ / n at the action taken, 0 at the others.

    δ = Q(s, a) − y cut to ±td_clip; the loss is the mean of δ · (Q(s, a) − y − ½ δ). Returns ([], [n, num_actions]).
    """
    places = actions.unsqueeze(1)
    errors = q_values.gather(1, places) - targets.unsqueeze(1)
    cut = errors.clamp(-td_clip, td_clip)
    loss = (cut * (errors - 0.5 * cut)).mean()
    return loss, torch.zeros_like(q_values).scatter_(1, places, cut / len(cut))


def clip_global_norm_(gradient: Tensor, max_norm: float) -> Tensor:
    """Scale the flat gradient in place so that its norm is at most `max_norm`; returns the norm before."""
    norm: Tensor = torch.linalg.vector_norm(gradient)
    if norm > max_norm:
        gradient.mul_(max_norm / norm)
    return norm
