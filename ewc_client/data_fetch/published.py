"""Public data sets: their files, where they are published, and the checksum that each file must have."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Checksum:
    """A digest of the file's bytes, or of what its gzip stream holds (`of` "content"), however it was compressed."""

    algorithm: Literal["sha256", "md5"]
    of: Literal["file", "content"]
    digest: str

    def problem_of(self, path: Path) -> str | None:
        """What is wrong with the file at `path`; None if it has this checksum."""
        try:
            with self._open(path) as stream:
                found = hashlib.file_digest(stream, lambda: hashlib.new(self.algorithm, usedforsecurity=False)).hexdigest()
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            return f"not a complete gzip file ({error})"
        if found == self.digest:
            return None
        return f"{self.algorithm} of its {'bytes' if self.of == 'file' else 'content'} is {found}, expected {self.digest}"

    def _open(self, path: Path) -> BufferedReader | gzip.GzipFile:
        return path.open("rb") if self.of == "file" else gzip.open(path, "rb")


@dataclass(frozen=True)
class PublishedFile:
    """One file, called the same at every mirror and on disk."""

    name: str
    checksum: Checksum


@dataclass(frozen=True)
class PublishedDataset:
    """Files that belong into `folder` of the data directory; `mirrors` are asked in this order."""

    name: str
    folder: str
    mirrors: tuple[str, ...]
    files: tuple[PublishedFile, ...]


def _mnist_file(name: str, digest: str) -> PublishedFile:
    # Copies of MNIST differ in how they were compressed, not in what they hold.
    return PublishedFile(name, Checksum("sha256", "content", digest))


def _fashion_file(name: str, digest: str) -> PublishedFile:
    return PublishedFile(name, Checksum("md5", "file", digest))  # MD5 is what its authors publish


PUBLISHED: dict[str, PublishedDataset] = {
    dataset.name: dataset
    for dataset in (
        PublishedDataset(
            name="mnist",
            folder="mnist",
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            files=(
                _mnist_file("train-images-idx3-ubyte.gz", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
                _mnist_file("train-labels-idx1-ubyte.gz", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
                _mnist_file("t10k-images-idx3-ubyte.gz", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
                _mnist_file("t10k-labels-idx1-ubyte.gz", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
            ),
        ),
        PublishedDataset(
            name="fashion-mnist",
            folder="fashion-mnist",
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            files=(
                _fashion_file("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                _fashion_file("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
                _fashion_file("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
                _fashion_file("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
            ),
        ),
    )
}
