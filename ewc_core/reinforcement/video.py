"""Episodes as pictures and as animated GIFs: what an agent does in a task, say before and after other tasks were learned."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.reinforcement.environments.group import EnvironmentGroup
from ewc_core.reinforcement.environments.letting_go import held
from ewc_core.reinforcement.environments.open import make_environments
from ewc_core.reinforcement.exploration import choose_actions
from ewc_core.reinforcement.frame_stack import FrameStack
from ewc_core.seeding import derive_seed, generator
from ewc_core.specs.environments import EnvironmentSpec

_GAP = 4
_MIN_SIDE = 160


@dataclass(frozen=True)
class RecordedEpisode:
    """`pictures` uint8 [num_pictures, height, width, 3]: one before every kept step, and one more
    where the episode was cut; the sum of the rewards, not clipped; and whether the episode came to its end."""

    pictures: NDArray[np.uint8]
    total_reward: float
    num_steps: int
    is_complete: bool


def record_episode(
    task: EnvironmentSpec,
    q_values: Callable[[Tensor], Tensor],
    *,
    history: int,
    num_actions: int | None = None,
    exploration_epsilon: float = 0.05,
    max_steps: int = 1000,
    keep_every: int = 1,
    seed: int = 0,
) -> RecordedEpisode:
    """One episode of a task as an evaluation plays it, epsilon-greedily on `q_values`: stacks [1, history, *frame_shape] to
    Q-values [1, num_actions]. A picture is kept every `keep_every` steps. The same arguments give the same episode, so two
    networks can be shown on the same game. Nothing is learned or changed.

    Raises:
        SpecError: the environment is unavailable, or can neither draw itself nor be shown as its frames.
    """
    opened = make_environments(task, num_envs=1, seed=derive_seed(seed, "video"), num_actions=num_actions, for_training=False)
    with held(opened) as environment:
        return _record(environment, task, q_values, history, exploration_epsilon, max_steps, keep_every, seed)


def to_gif(pictures: NDArray[np.uint8], *, pictures_per_second: float = 15.0) -> bytes:
    """An animated GIF of uint8 [num_pictures, height, width, 3] that repeats for ever. Small pictures are enlarged in
    blocks. A delay is a whole number of hundredths of a second, at least 2."""
    scale = max(1, -(-_MIN_SIDE // max(pictures.shape[1:3])))
    images = [Image.fromarray(np.repeat(np.repeat(picture, scale, axis=0), scale, axis=1)) for picture in pictures]
    delay = 10 * max(2, round(100 / pictures_per_second))
    file = io.BytesIO()
    images[0].save(file, format="GIF", save_all=True, append_images=images[1:], duration=delay, loop=0)
    return file.getvalue()


def side_by_side(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two recordings of one task as one; the shorter one stands still at its end."""
    length = max(len(left), len(right))
    parts = [np.concatenate([part, np.repeat(part[-1:], length - len(part), axis=0)]) for part in (left, right)]
    gap = np.full((length, left.shape[1], _GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([parts[0], gap, parts[1]], axis=2)


def _record(
    environment: EnvironmentGroup,
    task: EnvironmentSpec,
    q_values: Callable[[Tensor], Tensor],
    history: int,
    exploration_epsilon: float,
    max_steps: int,
    keep_every: int,
    seed: int,
) -> RecordedEpisode:
    random = generator(seed, "video-actions")
    now = environment.reset()
    stack = FrameStack(1, environment.frame_shape, environment.frame_dtype, history=history)
    stack.reset(now)
    pictures: list[NDArray[np.uint8]] = []
    total = 0.0
    for number in range(max_steps):
        if number % keep_every == 0:
            pictures.append(_picture(environment, task, stack.stacked[0, -1]))
        with torch.no_grad():
            actions = choose_actions(q_values(torch.from_numpy(stack.stacked)), exploration_epsilon, random)
        step = environment.step(actions)
        total += float(step.rewards[0])
        if step.over[0]:
            return RecordedEpisode(np.stack(pictures), total, number + 1, is_complete=True)
        stack.push(step.frames, step.over)
    pictures.append(_picture(environment, task, stack.stacked[0, -1]))
    return RecordedEpisode(np.stack(pictures), total, max_steps, is_complete=False)


def _picture(environment: EnvironmentGroup, task: EnvironmentSpec, frame: NDArray[np.generic]) -> NDArray[np.uint8]:
    drawn = environment.render()
    if drawn is not None:
        return drawn
    if frame.dtype == np.uint8 and frame.ndim == 2:
        return np.repeat(frame.astype(np.uint8)[:, :, None], 3, axis=2)
    raise SpecError(f"environment {task.title!r} cannot draw itself, and its frames {frame.shape} are no pictures")
