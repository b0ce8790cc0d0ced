"""The replay of one task: what an agent did and saw, every frame stored once, in files that outlive the process."""

from __future__ import annotations

import math
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ewc_core.errors import ResumePointDamaged, SpecError, StateFormatError
from ewc_core.reinforcement.entry_checksums import entry_checksums
from ewc_core.specs.agent import replay_margin

_FIRST, _TERMINATED, _EXTRA = 1, 2, 4
_CHECKSUM = "checksum"
_BLOCK = 1024
_FILES = ("frames", "actions", "rewards", "flags")
_MAX_DRAWS = 20


@dataclass(frozen=True)
class Batch:
    """Transitions. States are [n, history, *frame_shape] in the frames' dtype; `actions` int64, `rewards` and `continues`
    float32, all [n]. `continues` is 0 where nothing may be bootstrapped from the next state, else 1."""

    states: Tensor
    actions: Tensor
    rewards: Tensor
    next_states: Tensor
    continues: Tensor


class Replay:
    """A ring of entries per copy of the environment (a stream). An entry is a frame, the action taken in it, the reward that
    followed, and flags: first of an episode, terminated, or extra (the last frame of an episode that was cut, no action).

    The next state of an entry ends in the entry after it. Stacks are filled up with zeros before an episode's first frame.
    Of every stream the newest `capacity / num_envs` entries count. The ring is longer by a margin: as long as no more than
    that has been appended after a `cursor`, everything that counted then is still there, so that a replay can be reopened
    at the cursor, whatever was written since, even by a process that was killed in the middle of it. A cursor holds a
    checksum of what counted: files that differ (a flipped bit, a machine that lost power early) are refused.
    """

    def __init__(
        self,
        *,
        capacity: int,
        num_envs: int,
        frame_shape: tuple[int, ...],
        frame_dtype: np.dtype[Any],
        history: int,
        folder: Path | None,
    ) -> None:
        """An empty replay, in new files below `folder`, or in memory when it is None."""
        self._per_stream = -(-capacity // num_envs)
        self.margin = replay_margin(self._per_stream)
        self._size = self._per_stream + self.margin
        self._history = history
        self._folder = folder
        self._written = np.zeros(num_envs, dtype=np.int64)
        self._starts = np.ones(num_envs, dtype=np.bool_)
        self._num_appended = 0
        self._streams = np.arange(num_envs)
        self._checksums = np.zeros((num_envs, 0 if folder is None else self._size), dtype=np.uint32)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            "frames": (frame_shape, frame_dtype),
            "actions": ((), np.dtype(np.int16)),
            "rewards": ((), np.dtype(np.float32)),
            "flags": ((), np.dtype(np.uint8)),
        }
        self._arrays: dict[str, NDArray[Any]] = {
            name: self._array(name, (num_envs, self._size, *shape), dtype) for name, (shape, dtype) in kinds.items()
        }

    @classmethod
    def copied_from(cls, source: Path, cursor: Mapping[str, Tensor], *, folder: Path, **sizes: Any) -> Replay:
        """A replay of these sizes in new files, with what lay below `source` when `cursor` was taken.

        Raises:
            StateFormatError: a file is missing, or the cursor does not fit.
        ResumePointDamaged: a file has another size, or another content than at the cursor.
        """
        folder.mkdir(parents=True, exist_ok=True)
        replay = cls(**sizes, folder=folder)
        for name in _FILES:
            file, array = source / f"{name}.bin", replay._arrays[name]
            _check_file(file, array.nbytes)
            shutil.copyfile(file, folder / file.name)
            replay._arrays[name] = np.memmap(folder / file.name, dtype=array.dtype, mode="r+", shape=array.shape)
        fresh = replay.cursor()
        own = {name: (tensor.shape, tensor.dtype) for name, tensor in fresh.items()}
        given = {_CHECKSUM: fresh[_CHECKSUM], **cursor}  # cursors of earlier versions have no checksum
        if {name: (tensor.shape, tensor.dtype) for name, tensor in given.items()} != own:
            raise StateFormatError(
                f"replay cursor holds {sorted(cursor)}, expected {sorted(own)} of {len(replay._written)} streams"
            )
        replay._written = cursor["written"].numpy().copy()
        replay._starts = cursor["starts"].numpy().copy()
        replay._read_checksums()
        if _CHECKSUM in cursor and int(cursor[_CHECKSUM]) != replay._checksum_of_all():
            raise ResumePointDamaged(f"a file of {source.name} holds something else than was played")
        return replay

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self._arrays.values())

    @property
    def num_transitions(self) -> int:
        """Entries that count, without the newest of every stream, whose next frame is not known yet. The few that have no
        next frame because the game went on elsewhere are counted, too."""
        return int(np.maximum(np.minimum(self._written, self._per_stream) - 1, 0).sum())

    @property
    def num_appended_since_cursor(self) -> int:
        """At most so many entries have been appended to any stream since `cursor` was called last."""
        return self._num_appended

    def append(
        self,
        frames: NDArray[Any],
        actions: NDArray[np.int64],
        rewards: NDArray[Any],
        terminated: NDArray[np.bool_],
        over: NDArray[np.bool_],
        final_frames: NDArray[Any],
    ) -> None:
        """One transition per stream: `actions` were taken in `frames`. Where an episode is `over` without being
        `terminated`, its last frame is kept too, since values are bootstrapped from it."""
        self._put(self._streams, frames, actions, rewards, self._starts * _FIRST + terminated * _TERMINATED)
        self._starts = over.copy()
        self._num_appended += 1
        cut = np.flatnonzero(over & ~terminated)
        if len(cut):
            self._num_appended += 1
            self._put(cut, final_frames[cut], np.zeros(len(cut)), np.zeros(len(cut)), np.full(len(cut), _EXTRA))

    def cut(self) -> None:
        """What comes next does not follow from what was appended last: that transition is never sampled."""
        self._starts[:] = True

    def sample(self, batch_size: int, generator: torch.Generator) -> Batch:
        """`batch_size` transitions, drawn evenly with replacement.

        Raises:
            SpecError: there is no transition to draw.
        """
        return self.read(*self.draw(batch_size, generator))

    def read(self, streams: NDArray[np.int64], entries: NDArray[np.int64]) -> Batch:
        """The transitions at places that `draw` gave."""
        span = np.arange(1 - self._history, 2)
        at = entries[:, None] + span
        flags = self._arrays["flags"][streams[:, None], at % self._size]
        terminated = (flags[:, -2] & _TERMINATED) != 0
        states, next_states = self._stacks(streams, at, flags, terminated)
        place = entries % self._size
        return Batch(
            states=torch.from_numpy(states),
            actions=torch.from_numpy(self._arrays["actions"][streams, place].astype(np.int64)),
            rewards=torch.from_numpy(self._arrays["rewards"][streams, place]),
            next_states=torch.from_numpy(next_states),
            continues=torch.from_numpy((~terminated).astype(np.float32)),
        )

    def cursor(self) -> dict[str, Tensor]:
        """Where the replay stands."""
        self._num_appended = 0
        cursor = {"written": torch.from_numpy(self._written.copy()), "starts": torch.from_numpy(self._starts.copy())}
        if self._folder is not None:
            cursor[_CHECKSUM] = torch.tensor(self._checksum_of_all(), dtype=torch.int64)
        return cursor

    def files(self) -> list[Path]:
        """Where the arrays lie; no files in memory."""
        return [] if self._folder is None else [self._folder / f"{name}.bin" for name in _FILES]

    def delete(self) -> None:
        """Remove the files. The replay cannot be used any more."""
        self._arrays.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder)

    def draw(self, num: int, generator: torch.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places (streams, entries) of `num` transitions, drawn evenly with replacement; good until the next `append`.

        Raises:
            SpecError: there is no transition to draw.
        """
        counts = np.minimum(self._written, self._per_stream)
        ends = np.cumsum(counts)
        if ends[-1] == 0:
            raise SpecError("the replay is empty; nothing can be sampled from it")
        found_streams: list[NDArray[np.int64]] = []
        found_entries: list[NDArray[np.int64]] = []
        num_found = 0
        for _ in range(_MAX_DRAWS):
            drawn = torch.randint(int(ends[-1]), (num,), generator=generator).numpy()
            streams = np.searchsorted(ends, drawn, side="right")
            entries = self._written[streams] - 1 - (ends[streams] - 1 - drawn)
            kept = self._is_transition(streams, entries)
            found_streams.append(streams[kept])
            found_entries.append(entries[kept])
            num_found += int(kept.sum())
            if num_found >= num:
                return np.concatenate(found_streams)[:num], np.concatenate(found_entries)[:num]
        return self._draw_from_few(num, generator)

    def _draw_from_few(self, num: int, generator: torch.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """As `draw`, where hardly any entry is a transition: from a list of those that are."""
        counts = np.minimum(self._written, self._per_stream)
        streams = np.repeat(self._streams, counts)
        entries = np.concatenate([np.arange(end - count, end) for end, count in zip(self._written, counts, strict=True)])
        kept = np.flatnonzero(self._is_transition(streams, entries))
        if len(kept) == 0:
            raise SpecError(f"the replay holds {len(entries)} entries, and none of them is a transition with a next frame")
        drawn = kept[torch.randint(len(kept), (num,), generator=generator).numpy()]
        return streams[drawn], entries[drawn]

    def _is_transition(self, streams: NDArray[np.int64], entries: NDArray[np.int64]) -> NDArray[np.bool_]:
        flags = self._arrays["flags"][streams, entries % self._size]
        after = self._arrays["flags"][streams, (entries + 1) % self._size]
        is_terminated = (flags & _TERMINATED) != 0
        has_next = (entries + 1 < self._written[streams]) & ((after & _FIRST) == 0)
        found: NDArray[np.bool_] = ((flags & _EXTRA) == 0) & (is_terminated | has_next)
        return found

    def _stacks(
        self, streams: NDArray[np.int64], at: NDArray[np.int64], flags: NDArray[np.uint8], terminated: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """States end in column -2 of `at`, next states in column -1; a terminated one's next state is its own."""
        frames = self._arrays["frames"][streams[:, None], at % self._size]
        if self._history == 1:
            frames[terminated, 1] = frames[terminated, 0]
            return np.ascontiguousarray(frames[:, :1]), np.ascontiguousarray(frames[:, 1:])
        # Column c of the state belongs to its episode when no later column up to the last one is a first frame.
        is_first = (flags[:, 1:-1] & _FIRST) != 0
        later_first = np.cumsum(is_first[:, ::-1], axis=1)[:, ::-1] > 0
        outside = np.concatenate([later_first, np.zeros((len(at), 1), dtype=np.bool_)], axis=1)
        outside |= at[:, :-1] < 0
        frames[:, :-1][outside] = 0
        states = np.ascontiguousarray(frames[:, :-1])
        next_states = np.ascontiguousarray(frames[:, 1:])
        next_states[terminated] = states[terminated]
        return states, next_states

    def _put(
        self, streams: NDArray[np.int64], frames: NDArray[Any], actions: NDArray[Any], rewards: NDArray[Any], flags: NDArray[Any]
    ) -> None:
        place = self._written[streams] % self._size
        for name, values in (("frames", frames), ("actions", actions), ("rewards", rewards), ("flags", flags)):
            self._arrays[name][streams, place] = values
        self._written[streams] += 1
        if self._folder is not None:
            self._checksums[streams, place] = entry_checksums(
                frames.astype(self._arrays["frames"].dtype, copy=False), actions, rewards, flags
            )

    def _read_checksums(self) -> None:
        """From the files, for all entries that may still be read."""
        for stream in range(len(self._written)):
            kept = self._kept(stream)
            for begin in range(0, len(kept), _BLOCK):
                places = kept[begin : begin + _BLOCK]
                self._checksums[stream, places] = entry_checksums(*(self._arrays[name][stream, places] for name in _FILES))

    def _checksum_of_all(self) -> int:
        checksum = 0
        for stream in range(len(self._written)):
            checksum = zlib.crc32(self._checksums[stream, self._kept(stream)].tobytes(), checksum)
        return checksum

    def _kept(self, stream: int) -> NDArray[np.int64]:
        """Places of the entries that count, oldest first, and of those before them that are part of their stacks."""
        end = int(self._written[stream])
        return np.arange(max(0, end - self._per_stream - self._history), end) % self._size

    def _array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        if self._folder is None:
            return np.zeros(shape, dtype=dtype)
        if math.prod(shape) == 0:
            raise SpecError(f"replay {name} would have shape {shape}; it must hold something")
        return np.memmap(self._folder / f"{name}.bin", dtype=dtype, mode="w+", shape=shape)


def _check_file(file: Path, size: int) -> None:
    name = f"{file.parent.name}/{file.name}"
    if not file.is_file():
        raise StateFormatError(
            f"replay file {name} is missing: it was deleted, or the job went on on another host that does not share it"
        )
    if file.stat().st_size != size:
        raise ResumePointDamaged(f"replay file {name} has {file.stat().st_size} bytes, expected {size}")
