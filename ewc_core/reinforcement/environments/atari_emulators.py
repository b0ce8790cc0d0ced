"""Emulators of Atari games as an agent sees them, or in colour."""

from __future__ import annotations

import ale_py
import torch
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode

from ewc_core.specs.environments import AtariTask

NUM_ACTIONS = 18
SIDE = 84
_HEIGHT, _WIDTH = 210, 160


def open_emulators(task: AtariTask, num_envs: int, *, for_training: bool, in_colour: bool = False) -> AtariVectorEnv:
    """`num_envs` copies of a game with all actions, that begin a new episode within the step that ends one.

    Frames are [84, 84] grey, or [210, 160, 3] with `in_colour`; the same seed and actions give the same game in both. As
    many emulators run at a time as torch may use threads. The loss of a life is told as a termination only `for_training`.
    """
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    return AtariVectorEnv(
        task.game,
        num_envs=num_envs,
        num_threads=min(num_envs, torch.get_num_threads()),
        max_num_frames_per_episode=task.max_episode_frames,
        repeat_action_probability=task.repeat_action_probability,
        full_action_space=True,
        autoreset_mode=AutoresetMode.SAME_STEP,
        img_height=_HEIGHT if in_colour else SIDE,
        img_width=_WIDTH if in_colour else SIDE,
        grayscale=not in_colour,
        stack_num=1,
        frameskip=task.action_repeat,
        noop_max=task.no_op_max,
        life_loss_info=for_training and task.lost_life_ends,
        reward_clipping=False,
        use_fire_reset=False,
    )
