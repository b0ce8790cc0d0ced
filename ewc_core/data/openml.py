"""Classification data sets of openml.org, fetched once into the data directory."""

from __future__ import annotations

import errno
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ewc_core.data.as_stored import NUMBERS_COMPARED, AsStored, Merged, merged_columns
from ewc_core.data.checked import checked_source
from ewc_core.data.digests import Reading
from ewc_core.data.layout import require_bearable_size
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable, SpecError, StateFormatError
from ewc_core.specs import LikelihoodName, OpenMLDataset
from ewc_core.specs.supervised import NEWEST_VERSION

_FIELD = "dataset.name"
_TIMEOUT_SECONDS = 60.0


def load_openml(
    dataset: OpenMLDataset, data_dir: Path | None, reading: Reading | None = None, *, spec_version: int = NEWEST_VERSION
) -> DataSource:
    """The data set, inputs float32 [n, features], of which a fixed fifth is the test set.

    Files lie in `openml` of the data directory, where scikit-learn keeps them; nothing is fetched twice. Each feature is
    scaled to [0, 1] by its smallest and largest value among the training examples (a constant one is 0): OpenML's features
    have any unit. Categories are numbered first: features in the order that the file declares, classes in ascending order
    (as numbers if all of them are whole numbers).

    Raises:
        DatasetUnavailable: no data directory, or openml.org cannot be reached.
        StateFormatError: what was fetched cannot be parsed.
        SpecError: no such data set, a file with another checksum, text columns, missing values, a target that is no class, or
            more than 4 GiB of numbers.
    """
    where = f"OpenML data set {dataset.name!r} version {dataset.version}"
    if data_dir is None:
        raise DatasetUnavailable(
            f"{where} needs a data directory to be kept in; the service takes it from EWC_DATA_DIR", field=_FIELD
        )
    bunch = _fetch(dataset, data_dir, where)
    arrays = {"inputs": _features(bunch.data, where), "targets": _labels(bunch.target, where)}
    columns = tuple(map(str, bunch.feature_names))
    stored = AsStored(str(bunch.data.dtype), columns, merged=_merged(bunch.data), unit_range=True)
    source = checked_source(
        arrays, LikelihoodName.CATEGORICAL, where=where, field=_FIELD, by_class=spec_version > 1, stored=stored
    )
    if reading is not None:
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        reading.arrays(tensors, where, kind=LikelihoodName.CATEGORICAL.value, version=None)
    _scale(source)
    return source


def _fetch(dataset: OpenMLDataset, data_dir: Path, where: str) -> Any:
    from sklearn.datasets import fetch_openml  # here: the import takes a second

    try:
        with _patience():
            return fetch_openml(
                dataset.name,
                version=dataset.version,
                data_home=str(data_dir),
                as_frame=False,
                parser="liac-arff",
                n_retries=1,
            )
    except OSError as error:  # includes HTTP errors and time-outs
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # it is not the data set's fault that it cannot be kept
        raise DatasetUnavailable(f"{where} cannot be fetched from openml.org: {error.strerror or error}", field=_FIELD) from error
    except ValueError as error:
        raise SpecError(f"{where}: {error}", field=_FIELD) from error
    except Exception as error:  # the ARFF parser's own errors have no public class
        raise StateFormatError(f"{where}: what openml.org sent cannot be parsed: {type(error).__name__}: {error}") from error


@contextmanager
def _patience() -> Iterator[None]:
    """scikit-learn sets no time-out and takes none, so it is set for all new sockets, and put back. Its warnings about
    retries are dropped: a failure that lasts arrives as an exception."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A network error occurred", category=UserWarning)
            warnings.filterwarnings("ignore", message="Invalid cache, redownloading", category=RuntimeWarning)
            yield
    finally:
        socket.setdefaulttimeout(before)


def _features(data: Any, where: str) -> np.ndarray[Any, Any]:
    require_bearable_size({"inputs": 4 * data.shape[0] * data.shape[1]}, where=where, field=_FIELD)
    return np.asarray(_dense(data), dtype=np.float32)


def _merged(data: Any) -> tuple[Merged, ...]:
    return merged_columns(_dense(data[: max(1, NUMBERS_COMPARED // data.shape[1])]))


def _dense(data: Any) -> np.ndarray[Any, Any]:
    dense: np.ndarray[Any, Any] = data if isinstance(data, np.ndarray) else data.toarray()
    return dense


def _labels(target: Any, where: str) -> np.ndarray[Any, Any]:
    if target is None or target.ndim != 1 or target.dtype != object:
        raise SpecError(f"{where}: its target must be one column of categories", field=_FIELD)
    names = sorted(set(target), key=_rank)
    number = {name: index for index, name in enumerate(names)}
    return np.array([number[name] for name in target], dtype=np.int64)


def _rank(name: str) -> tuple[bool, int, str]:
    """Whole numbers by value, before everything else by its text."""
    whole = name.removeprefix("-").isdecimal()
    return (not whole, int(name) if whole else 0, name)


def _scale(source: DataSource) -> None:
    """In place: x becomes (x - smallest) / (largest - smallest), feature by feature, over the training examples."""
    smallest, largest = source.train_inputs.amin(0), source.train_inputs.amax(0)
    width = (largest - smallest).where(largest > smallest, 1.0)
    for inputs in (source.train_inputs, source.test_inputs):
        inputs.sub_(smallest).div_(width)
        inputs[:, largest == smallest] = 0.0
