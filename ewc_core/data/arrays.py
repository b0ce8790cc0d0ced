"""Users' own arrays: files in the data directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ewc_core.data.checked import checked_source
from ewc_core.data.layout import FILE_FIELD
from ewc_core.data.npz import read_npz
from ewc_core.data.parquet import read_parquet
from ewc_core.data.safetensors_file import read_safetensors
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable
from ewc_core.specs import ArraysDataset

_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".npz": read_npz,
    ".safetensors": read_safetensors,
    ".parquet": read_parquet,
}


def load_arrays(dataset: ArraysDataset, data_dir: Path | None) -> DataSource:
    """The data source in a `.npz`, `.safetensors` or `.parquet` file; names, types and values as in `checked_source`.

    Raises:
        DatasetUnavailable: the file is not there, or cannot be opened.
        StateFormatError: it is damaged.
        SpecError: what it holds does not fit, or is too large.
    """
    path = None if data_dir is None else data_dir / dataset.path
    if path is None or not path.is_file():
        raise DatasetUnavailable(
            f"the file {dataset.path!r} is not in the data directory"
            f"{'' if data_dir is not None else ' (none is set)'}; the service takes it from EWC_DATA_DIR",
            field=FILE_FIELD,
        )
    try:
        arrays = _READERS[path.suffix](path)
    except OSError as error:
        raise DatasetUnavailable(
            f"the file {dataset.path!r} cannot be read: {error.strerror or error}", field=FILE_FIELD
        ) from error
    return checked_source(arrays, dataset.likelihood, where=dataset.path, field=FILE_FIELD)
