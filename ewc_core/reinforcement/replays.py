"""The replays of one agent, one per recognised task, within one bound on memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ewc_core.errors import SpecError, StateFormatError
from ewc_core.reinforcement.replay import Replay
from ewc_core.specs.agent import AgentSpec, replay_bytes


class Replays:
    """Replays by label, each in a folder of its own below `folder` (None: in memory).

    A recogniser may find more tasks than there are. When another replay would break the bound, the one of the task that
    was played least gives way; that task starts an empty one when it comes back.
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

    def of(self, label: int, *, num_steps: Mapping[int, int]) -> tuple[Replay, int | None]:
        """The replay of a task, made when it has none; and the label whose replay gave way for it, if one did.

        `num_steps` says how long each task was played.
        """
        if label in self.by_label:
            return self.by_label[label], None
        evicted = None
        if len(self.by_label) >= self._max_num:
            evicted = min(self.by_label, key=lambda other: (num_steps.get(other, 0), other))
            self.by_label.pop(evicted).delete()
        self.by_label[label] = Replay(**self._sizes(), folder=self._folder_of(label))
        return self.by_label[label], evicted

    @property
    def is_point_due(self) -> bool:
        """Whether half of some replay's margin has been written since its last cursor: a resume point is wanted now."""
        return any(2 * replay.num_appended_since_cursor >= replay.margin for replay in self.by_label.values())

    def cursors(self) -> dict[str, Tensor]:
        """`<label>.<name>`: where every replay stands; they can be reopened there until the margin is used up."""
        return {f"{label}.{name}": tensor for label, replay in self.by_label.items() for name, tensor in replay.cursor().items()}

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
        self.by_label = {}
        for label, cursor in sorted(parts.items()):
            folder = self._folder_of(label)
            if source is None or folder is None:
                raise StateFormatError("the resume point has replays in files, and this run keeps none")
            self.by_label[label] = Replay.copied_from(source / f"task-{label}", cursor, **self._sizes(), folder=folder)

    def _sizes(self) -> dict[str, Any]:
        return {
            "capacity": self._agent.replay_capacity,
            "num_envs": self._agent.num_envs,
            "frame_shape": self._frame_shape,
            "frame_dtype": self._frame_dtype,
            "history": self._agent.history,
        }

    def _folder_of(self, label: int) -> Path | None:
        return None if self._folder is None else self._folder / f"task-{label}"
