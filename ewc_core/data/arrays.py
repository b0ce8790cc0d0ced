"""Users' own arrays: files in the data directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ewc_core.data.checked import checked_source
from ewc_core.data.digests import Reading
from ewc_core.data.layout import FILE_FIELD
from ewc_core.data.npz import read_npz
from ewc_core.data.parquet import read_parquet
from ewc_core.data.safetensors_file import read_safetensors
from ewc_core.data.source import DataSource
from ewc_core.errors import DatasetUnavailable
from ewc_core.specs import ArraysDataset
from ewc_core.specs.supervised import NEWEST_VERSION

_READERS: dict[str, Callable[[bytes, str], dict[str, Any]]] = {".npz": read_npz, ".safetensors": read_safetensors}


def load_arrays(
    dataset: ArraysDataset, data_dir: Path | None, reading: Reading | None = None, *, spec_version: int = NEWEST_VERSION
) -> DataSource:
    """The data source in a `.npz`, `.safetensors` or `.parquet` file; names, types and values as in `checked_source`.

    `spec_version` as in `Sources`.

    Raises:
        DatasetUnavailable: the file is not there, or cannot be opened.
        StateFormatError: it is damaged.
        SpecError: what it holds does not fit, or is too large.
    """
    path = None if data_dir is None else data_dir / dataset.path
    if path is None or not path.is_file():
        raise DatasetUnavailable(
            f"the file {dataset.path!r} is not in the data directory"
            f"{' (none is set)' if data_dir is None else ''}; the service takes it from EWC_DATA_DIR",
            field=FILE_FIELD,
        )
    data = (reading or Reading()).file(path, dataset.path, field=FILE_FIELD)
    if path.suffix == ".parquet":
        arrays, stored = read_parquet(data, dataset.path, keep_index=spec_version == 1)
    else:
        arrays, stored = _READERS[path.suffix](data, dataset.path), None
    del data  # as much memory as the arrays take, which are about to be copied
    return checked_source(
        arrays, dataset.likelihood, where=dataset.path, field=FILE_FIELD, by_class=spec_version > 1, stored=stored
    )
