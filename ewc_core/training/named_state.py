"""The states of parts within the state of a whole: tensors whose names begin with the part's prefix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor


def add_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A part's state as it enters the whole: every name after `prefix`."""
    return {prefix + name: tensor for name, tensor in tensors.items()}


class Rest(Mapping[str, Tensor]):
    """What is left of a state while its parts are taken out. Taking reads nothing: a stored tensor is read by whom it belongs to,
    when that looks at it."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state
        self._names = {name: name for name in state}

    def __getitem__(self, name: str) -> Tensor:
        return self._state[self._names[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def pop(self, name: str) -> Tensor:
        """Take one tensor out. Raises KeyError when there is none of that name."""
        return self._state[self._names.pop(name)]

    def pop_if_there(self, name: str) -> Tensor | None:
        """Take one tensor out, if there is one of that name."""
        return self.pop(name) if name in self._names else None

    def taken(self, prefix: str) -> Rest:
        """The state of the part `prefix`, taken out: this is left with what belongs to others."""
        part = Rest(self._state)
        names = [name for name in self._names if name.startswith(prefix)]
        part._names = {name.removeprefix(prefix): self._names.pop(name) for name in names}
        return part
