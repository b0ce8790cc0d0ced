"""A small published data set, and a mirror that has it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator

import pytest

from ewc_client.data_fetch import Checksum, PublishedDataset, PublishedFile
from tests.ewc_client.data_fetch.mirror import Mirror, serving

IMAGES = hashlib.shake_256(b"images").digest(300_000)
LABELS = hashlib.shake_256(b"labels").digest(500)
FILES = {"images.gz": gzip.compress(IMAGES, mtime=0), "labels.gz": gzip.compress(LABELS, mtime=0)}


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror with the right files."""
    with serving(dict(FILES)) as mirror:
        yield mirror


@pytest.fixture
def published(mirror: Mirror) -> PublishedDataset:
    """A data set of two files, one with a checksum of its content and one with a checksum of its bytes."""
    return PublishedDataset(
        name="mnist",
        folder="small",
        mirrors=(mirror.url,),
        files=(
            PublishedFile("images.gz", Checksum("sha256", "content", hashlib.sha256(IMAGES).hexdigest())),
            PublishedFile("labels.gz", Checksum("md5", "file", hashlib.md5(FILES["labels.gz"]).hexdigest())),  # noqa: S324  # as published
        ),
    )
