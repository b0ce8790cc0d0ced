"""What a network's forward pass may depend on besides parameters, buffers and inputs: state that no resume point holds.

It is looked at from outside: attributes of the modules and of their classes, what their methods close over, and the globals
of the files that they come from, down to numbers, texts, arrays, tensors and random generators.
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from types import FunctionType, GeneratorType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ewc_core.networks.guarded import GuardedForward

_HELD = frozenset({"_parameters", "_buffers", "_modules"})
"""What a module holds in sight: weights and buffers are looked at elsewhere, and its parts come by themselves."""
_MAX_DEPTH, _MAX_PARTS = 6, 10_000
_LIBRARIES = frozenset({"torch", "numpy", "ewc_core"}) | sys.stdlib_module_names


def hidden_state(network: nn.Module) -> dict[str, str]:
    """By name, a fingerprint of everything that a forward pass could keep, or take from elsewhere."""
    seen: set[int] = set()
    found: dict[str, str] = {}
    for name, module in network.named_modules():
        where = f"attribute {{!r}} of {f'module {name!r}' if name else 'the network'}"
        for key, value in vars(module).items():
            if key not in _HELD and not isinstance(value, GuardedForward | nn.Module):
                found[where.format(key)] = _print(value, seen)
        for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None and vars(tensor):
                found[f"what {key!r} of {f'module {name!r}' if name else 'the network'} has as attributes"] = _print(
                    vars(tensor), seen
                )
        for kind in type(module).__mro__:
            if _is_users(kind.__module__) and id(kind) not in seen:
                seen.add(id(kind))
                found |= dict(_of_class(kind, seen))
                found |= dict(_of_file(sys.modules.get(kind.__module__), seen))
    return found


def _of_class(kind: type, seen: set[int]) -> Iterator[tuple[str, str]]:
    for key, value in list(vars(kind).items()):
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if isinstance(function, FunctionType):
            yield from _of_function(f"{kind.__name__}.{key}", function, seen)
        elif not key.startswith("__"):
            yield f"attribute {key!r} of class {kind.__name__!r}", _print(value, seen)


def _of_file(file: ModuleType | None, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Globals of a file, and of the files that it imports whole, as far as they are the user's."""
    if file is None or id(file) in seen or not _is_users(file.__name__):
        return
    seen.add(id(file))
    for key, value in list(vars(file).items()):
        if isinstance(value, ModuleType):
            yield from _of_file(value, seen)
        elif not key.startswith("__") and not isinstance(value, type | FunctionType):
            yield f"global {key!r} of {file.__name__.rpartition('.')[2]}", _print(value, seen)


def _of_function(name: str, function: FunctionType, seen: set[int]) -> Iterator[tuple[str, str]]:
    for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if _is_filled(cell):
            yield f"{key!r}, which {name} closes over,", _print(cell.cell_contents, seen)
    kept = [function.__defaults__, function.__kwdefaults__, vars(function)]
    yield f"what {name} has as defaults or attributes", _print(kept, seen)


def _print(value: Any, seen: set[int], depth: int = 0) -> str:
    """Equal for equal values; what cannot be looked into is known by its type alone."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return f"{type(value).__name__}:{value!r}"
    try:
        inside = _inside(value)
    except Exception:  # noqa: BLE001 (an object of a user may do anything when it is looked at)
        return type(value).__name__
    if isinstance(inside, str):
        return inside
    if depth >= _MAX_DEPTH or id(value) in seen or len(inside) > _MAX_PARTS:
        return f"{type(value).__name__} of {len(inside)}"
    within = seen | {id(value)}
    return f"{type(value).__name__}[{','.join(_print(part, within, depth + 1) for part in inside)}]"


def _inside(value: Any) -> str | Sequence[Any]:
    """A value's fingerprint, or its parts."""
    match value:
        case Tensor():
            data = value.detach().cpu().contiguous()
            return _digest(data.shape, data.dtype, data.view(-1).view(torch.uint8).numpy().tobytes() if data.numel() else b"")
        case np.ndarray():
            return _digest(value.shape, value.dtype, value.tobytes() if value.dtype != object else value.tolist())
        case torch.Generator():
            return _digest(value.get_state().numpy().tobytes())
        case np.random.Generator():
            return _digest(value.bit_generator.state)
        case np.random.RandomState():
            return _digest(value.get_state())
        case random.Random():
            return _digest(value.getstate())
        case Mapping():
            return [part for pair in list(value.items()) for part in pair]
        case set() | frozenset():
            return sorted(map(repr, value))
        case list() | tuple() | deque():
            return list(value)
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
            named = [value.__globals__.get(name) for name in value.__code__.co_names]
            return [*cells, *named, value.__defaults__, value.__kwdefaults__, vars(value)]
        case GeneratorType():
            return [] if value.gi_frame is None else [value.gi_frame.f_lasti, value.gi_frame.f_locals]
        case partial():
            return [value.func, value.args, value.keywords]
        case MethodType():
            return [] if isinstance(value.__self__, nn.Module) else [value.__self__]
        case nn.Module() | type() | ModuleType():
            return type(value).__name__
    if type(value).__module__ in ("itertools", "builtins"):
        return repr(value)
    if not _is_users(type(value).__module__) and not isinstance(value, SimpleNamespace):
        return type(value).__name__
    slots = {key for kind in type(value).__mro__ for key in _slots(kind) if hasattr(value, key)}
    kept = {**getattr(value, "__dict__", {}), **{key: getattr(value, key) for key in sorted(slots)}}
    return [part for pair in kept.items() for part in pair]


def _slots(kind: type) -> Sequence[str]:
    slots = vars(kind).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else slots
    return [key for key in names if key not in ("__dict__", "__weakref__")]


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _is_users(package: str) -> bool:
    return package.partition(".")[0] not in _LIBRARIES


def _digest(*parts: Any) -> str:
    """A fingerprint of what has a faithful repr: numbers, texts, bytes, arrays of random states."""
    with np.printoptions(threshold=sys.maxsize):
        return sha256(repr(parts).encode(errors="backslashreplace")).hexdigest()
