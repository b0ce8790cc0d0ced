"""Digests of everything that is read, and the comparison with what was read before."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ewc_core.data.layout import MAX_FILE_BYTES
from ewc_core.errors import DataChanged, DatasetUnavailable, SpecError
from ewc_core.tensor_file import tensors_sha256


@dataclass(frozen=True)
class Digest:
    """SHA-256 of the bytes of a file, or of the arrays that a package handed over; `name` is as the spec has it.

    `version` is that of the package, where one made the data.
    """

    name: str
    sha256: str
    version: str | None = None


class Reading:
    """Reads what one data set is made of. Nothing is read twice, so what is hashed is what is used."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        """`known`: digests by name of what was read before, and must be read again."""
        self._known = dict(known or {})
        self.digests: list[Digest] = []

    def file(self, path: Path, name: str, *, field: str) -> bytes:
        """All bytes of a file; `name` is what its user calls it.

        Raises:
            DatasetUnavailable: at `field`: it cannot be read.
            SpecError: at `field`: it is too large.
        """
        try:
            with path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                if size > MAX_FILE_BYTES:
                    raise SpecError(f"the file {name!r} has {size} bytes; at most {MAX_FILE_BYTES} are read", field=field)
                data = stream.read(size)
        except OSError as error:
            raise DatasetUnavailable(f"the file {name!r} cannot be read: {error.strerror}", field=field) from error
        self._note(Digest(name, hashlib.sha256(data).hexdigest()))
        return data

    def arrays(self, tensors: Mapping[str, Tensor], name: str, *, kind: str, version: str | None) -> None:
        """Note arrays that a package handed over, and what `kind` of targets they hold."""
        text = json.dumps([kind, tensors_sha256(tensors)])
        self._note(Digest(name, hashlib.sha256(text.encode()).hexdigest(), version))

    def require_unchanged(self, *, field: str) -> None:
        """Compare what has been read with what is known.

        Raises:
            DataChanged: at `field`: names differ from before.
        """
        changed = {
            digest.name: f"SHA-256 {self._known[digest.name]} then, {digest.sha256} now"
            for digest in self.digests
            if self._known.get(digest.name, digest.sha256) != digest.sha256
        }
        if changed:
            what = "; ".join(f"{name}: {change}" for name, change in changed.items())
            raise DataChanged(f"data have changed: {what}", field=field, changed=changed)

    def _note(self, digest: Digest) -> None:
        self.digests.append(digest)
