"""From arrays of unknown origin to a data source: everything that a task relies on is checked here, once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ewc_core.data.as_stored import AsStored, merged_columns
from ewc_core.data.held_out import classes_of, split_off_test
from ewc_core.data.layout import require_layout
from ewc_core.data.source import DataSource
from ewc_core.errors import SpecError
from ewc_core.specs import LikelihoodName
from ewc_core.specs.heads import MAX_OUTPUTS

_WIDE = (torch.float64, torch.int64, torch.int32)  # dtypes with numbers that float32 does not hold


def checked_source(
    arrays: Mapping[str, Any],
    likelihood: LikelihoodName,
    *,
    where: str,
    field: str,
    by_class: bool = True,
    stored: AsStored | None = None,
) -> DataSource:
    """The data source in numpy arrays or tensors with the names of one of `LAYOUTS`.

    Inputs [n, ...]: uint8 stay bytes and are read as x/255; floats, other integers and booleans become float32 as they are.
    Targets: integers [n], labels from 0 on (categorical), 0 or 1 (Bernoulli) or any finite numbers (Gaussian), both [n]
    or [n, outputs]. Without test arrays a fixed fifth of the examples becomes the test set, of each class where
    `by_class`. `where` names the origin in messages; `stored` is what a reader of columns knows of them.

    Raises:
        SpecError: at `field`: names, types, shapes or values are not as said here.
    """
    require_layout(set(arrays), where=where, field=field)
    try:
        tensors = {name: _as_tensor(name, value) for name, value in arrays.items()}
        return _source(tensors, likelihood, by_class, stored or _as_stored(tensors))
    except ValueError as error:
        raise SpecError(f"{where}: {error}", field=field) from error


def _source(tensors: dict[str, Tensor], likelihood: LikelihoodName, by_class: bool, stored: AsStored) -> DataSource:
    prefix = "" if "inputs" in tensors else "train_"
    train = _part(tensors, prefix, likelihood)
    if "test_inputs" in tensors:
        test = _part(tensors, "test_", likelihood)
        _require_alike(train, test)
    else:
        if len(train[0]) < 2:
            raise ValueError(f"{len(train[0])} example cannot be parted into a training and a test set")
        rows = split_off_test(len(train[0]), classes_of(train[1], likelihood) if by_class else None)
        train, test = ((train[0][part], train[1][part]) for part in rows)
    largest = 255 if train[0].dtype == torch.uint8 else None
    is_labels = likelihood is LikelihoodName.CATEGORICAL
    num_outputs = _num_classes(torch.cat([train[1], test[1]])) if is_labels else train[1].shape[1]
    return DataSource(*train, *test, likelihood, num_outputs, largest, stored)


def _as_stored(tensors: dict[str, Tensor]) -> AsStored:
    name = "inputs" if "inputs" in tensors else "train_inputs"
    inputs = tensors[name]
    dtype = str(inputs.dtype).removeprefix("torch.")
    return AsStored(dtype, merged=merged_columns(inputs.numpy()) if inputs.dtype in _WIDE and inputs.dim() > 1 else ())


def _part(tensors: dict[str, Tensor], prefix: str, likelihood: LikelihoodName) -> tuple[Tensor, Tensor]:
    names = f"{prefix}inputs", f"{prefix}targets"
    inputs, targets = _inputs(names[0], tensors[names[0]]), _targets(names[1], tensors[names[1]], likelihood)
    if len(inputs) != len(targets):
        raise ValueError(f"{names[0]} has {len(inputs)} examples, {names[1]} has {len(targets)}")
    return inputs, targets


def _require_alike(train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> None:
    for name, ours, theirs in zip(("inputs", "targets"), train, test, strict=True):
        if ours.shape[1:] != theirs.shape[1:]:
            raise ValueError(
                f"train_{name} have shape {list(ours.shape[1:])} per example, test_{name} have {list(theirs.shape[1:])}"
            )
        if ours.dtype != theirs.dtype:
            raise ValueError(f"train_{name} are read as {ours.dtype}, test_{name} as {theirs.dtype}; only uint8 are scaled")


def _inputs(name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() < 2 or 0 in tensor.shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected [examples, ...] with at least one number in each")
    if tensor.dtype == torch.uint8:
        return tensor.contiguous()
    return _finite(name, tensor)


def _targets(name: str, tensor: Tensor, likelihood: LikelihoodName) -> Tensor:
    if likelihood is LikelihoodName.CATEGORICAL:
        return _labels(name, tensor)
    if tensor.dim() not in (1, 2) or 0 in tensor.shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected [examples] or [examples, outputs]")
    targets = _finite(name, tensor).reshape(len(tensor), -1)
    if targets.shape[1] > MAX_OUTPUTS:
        raise ValueError(f"{name} has {targets.shape[1]} outputs; at most {MAX_OUTPUTS} are allowed")
    if likelihood is LikelihoodName.BERNOULLI and not bool(((targets == 0) | (targets == 1)).all()):
        raise ValueError(
            f"{name} must be 0 or 1 for likelihood 'bernoulli', found {_first(targets, (targets != 0) & (targets != 1))}"
        )
    return targets


def _labels(name: str, tensor: Tensor) -> Tensor:
    if tensor.dim() != 1 or len(tensor) == 0:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected [examples] for likelihood 'categorical'")
    if tensor.is_floating_point():
        raise ValueError(
            f"{name} are {tensor.dtype}, expected integer labels for likelihood 'categorical'; real numbers need 'gaussian'"
        )
    return tensor.to(torch.int64).contiguous()


def _num_classes(labels: Tensor) -> int:
    smallest, largest = int(labels.min()), int(labels.max())
    if smallest < 0 or largest >= MAX_OUTPUTS:
        raise ValueError(f"labels from {smallest} to {largest} found, expected 0 to K-1 with at most {MAX_OUTPUTS} classes")
    return largest + 1


def _finite(name: str, tensor: Tensor) -> Tensor:
    """`tensor` in float32, contiguous; ValueError where that is NaN or infinite."""
    numbers = tensor.to(torch.float32).contiguous()
    if not bool(numbers.isfinite().all()):
        raise ValueError(f"{name} must be finite in float32, found {_first(tensor, ~numbers.isfinite())}")
    return numbers


def _first(tensor: Tensor, where: Tensor) -> str:
    place = [int(index) for index in where.nonzero()[0]]
    return f"{tensor[tuple(place)].item()} at {place}"


def _as_tensor(name: str, value: Any) -> Tensor:
    """A tensor of booleans, integers or floats on the CPU; ValueError for anything else."""
    if isinstance(value, np.ndarray):
        return _from_numpy(name, value)
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is of type {type(value).__name__}, expected a numpy array or a tensor")
    if value.is_complex() or value.is_sparse or value.is_quantized:
        raise ValueError(f"{name} is a {value.layout} tensor of {value.dtype}, expected dense real numbers")
    return value.detach().cpu()


def _from_numpy(name: str, array: np.ndarray[Any, Any]) -> Tensor:
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        number = "; number the texts 0 to K-1" if array.dtype.kind in "US" else ""
        raise ValueError(f"{name} are of dtype {array.dtype}, expected booleans, integers or floats of at most 64 bits{number}")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        if array.size and int(array.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"{name} hold {int(array.max())}, which is no int64")
        array = array.astype(np.int64)
    return torch.from_numpy(np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "W"]))
