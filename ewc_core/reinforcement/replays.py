"""The replays of one agent, one per recognised task, within one bound on memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ewc_core.errors import SpecError, StateFormatError
from ewc_core.reinforcement.replay import Replay
from ewc_core.specs.agent import AgentSpec, replay_bytes, replay_margin

_NUMBER = "number"


class Replays:
    """Replays by label, each in a folder of its own below `folder` (None: in memory).

    A recogniser may find more tasks than there are. When another replay would break the bound, the one of the task that
    was played least gives way; that task starts an empty one when it comes back. The files of a replay that gave way are kept
    until a resume point without it has been made: the one before still needs them.
    """

    def __init__(
        self,
        agent: AgentSpec,
        *,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype[np.uint8] | np.dtype[np.float32],
        max_bytes: int,
        folder: Path | None,
    ) -> None:
        """`max_bytes` bounds all replays of this agent together.

        Raises:
            SpecError: not even one replay fits.
        """
        self._agent = agent
        self._frame_shape, self._frame_dtype = frame_shape, frame_dtype
        self._folder = folder
        each = replay_bytes(agent, frame_bytes=int(np.prod(frame_shape)) * frame_dtype.itemsize)
        self._max_num = max_bytes // each
        if self._max_num < 1:
            raise SpecError(
                f"one replay takes {each} bytes, and this agent may have {max_bytes}; "
                "a smaller agent.replay_capacity or a larger agent.replay_memory_bytes is needed",
                field="agent.replay_memory_bytes",
            )
        self.by_label: dict[int, Replay] = {}
        self._numbers: dict[int, int] = {}
        self._num_made = 0
        self._given_way: list[Replay] = []
        self._is_cursor_taken = False

    def of(self, label: int, *, num_steps: Mapping[int, int]) -> tuple[Replay, int | None]:
        """The replay of a task, made when it has none; and the label whose replay gave way for it, if one did.

        `num_steps` says how long each task was played.
        """
        if label in self.by_label:
            return self.by_label[label], None
        evicted = None
        if len(self.by_label) >= self._max_num:
            evicted = min(self.by_label, key=lambda other: (num_steps.get(other, 0), other))
            self._give_way(evicted)
        self._numbers[label], self._num_made = self._num_made, self._num_made + 1
        self.by_label[label] = Replay(**self._sizes(), folder=self._folder_of(label))
        return self.by_label[label], evicted

    @property
    def max_burst(self) -> int:
        """How many entries may be appended to a stream at once: with them a cursor taken when `is_point_due` said so is still
        good."""
        return replay_margin(-(-self._agent.replay_capacity // self._agent.num_envs)) // 2 - self._agent.history - 2

    @property
    def is_point_due(self) -> bool:
        """Whether half of some replay's margin has been written since its last cursor, or files wait to be deleted: a resume
        point is wanted now."""
        if self._given_way and not self._is_cursor_taken:
            return True
        return any(2 * replay.num_appended_since_cursor >= replay.margin for replay in self.by_label.values())

    def cursors(self) -> dict[str, Tensor]:
        """`<label>.<name>`: where every replay stands; they can be reopened there until the margin is used up."""
        self._forget_given_way()
        self._is_cursor_taken = True
        cursors: dict[str, Tensor] = {}
        for label, replay in self.by_label.items():
            cursors[f"{label}.{_NUMBER}"] = torch.tensor(self._numbers[label], dtype=torch.int64)
            cursors |= {f"{label}.{name}": tensor for name, tensor in replay.cursor().items()}
        return cursors

    def files(self) -> dict[str, Path]:
        """The files of all replays, by their paths below the folder; none in memory."""
        if self._folder is None:
            return {}
        files = (file for replay in self.by_label.values() for file in replay.files())
        return {file.relative_to(self._folder).as_posix(): file for file in files}

    def reopen(self, cursors: Mapping[str, Tensor], *, source: Path | None) -> None:
        """Go on from `cursors`, with the files as they are below `source`, which are copied.

        Raises:
            StateFormatError: files are missing, too short, or do not belong to the cursors.
        """
        parts: dict[int, dict[str, Tensor]] = {}
        for name, tensor in cursors.items():
            label, _, rest = name.partition(".")
            if not (label.isdigit() and rest):
                raise StateFormatError(f"replay cursors hold {name!r}, expected '<label>.<name>'")
            parts.setdefault(int(label), {})[rest] = tensor
        self.by_label, self._numbers = {}, {}
        for key, cursor in sorted(parts.items()):
            if _NUMBER not in cursor:
                raise StateFormatError(f"replay cursor of task {key} holds {sorted(cursor)}, expected {_NUMBER!r} in it")
            number = self._numbers[key] = int(cursor.pop(_NUMBER))
            folder = self._folder_of(key)
            if source is None or folder is None:
                raise StateFormatError("the resume point has replays in files, and this run keeps none")
            self.by_label[key] = Replay.copied_from(source / _folder_name(number), cursor, **self._sizes(), folder=folder)
        self._num_made = max(self._numbers.values(), default=-1) + 1

    def _give_way(self, label: int) -> None:
        self._forget_given_way()
        replay = self.by_label.pop(label)
        self._numbers.pop(label)
        self._given_way.append(replay)
        self._is_cursor_taken = False
        if self._folder is None:
            self._forget_given_way()

    def _forget_given_way(self) -> None:
        """Delete what gave way before the latest cursor; without files there is nothing to go back to."""
        if self._is_cursor_taken or self._folder is None:
            for replay in self._given_way:
                replay.delete()
            self._given_way = []

    def _sizes(self) -> dict[str, Any]:
        return {
            "capacity": self._agent.replay_capacity,
            "num_envs": self._agent.num_envs,
            "frame_shape": self._frame_shape,
            "frame_dtype": self._frame_dtype,
            "history": self._agent.history,
        }

    def _folder_of(self, label: int) -> Path | None:
        return None if self._folder is None else self._folder / _folder_name(self._numbers[label])


def _folder_name(number: int) -> str:
    """By number, not by label: a task whose replay gave way begins another one beside the files of the first."""
    return f"replay-{number}"
