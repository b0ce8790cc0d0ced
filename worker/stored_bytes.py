"""The bytes of stored files, read in part: the chunks read last stay at hand for the next part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import partial

from ewc_core.errors import BlobCorrupt, NotFound
from ewc_core.stored_tensors import Read
from store.blobs import require_whole
from store.unit_of_work import Database

_NUM_KEPT = 4


class StoredBytes:
    """Reads parts of finished blobs. Every chunk is checked against its crc32, and a few are kept: the many small tensors of a
    file are then read with few statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def open(self, blob_id: str, *, check_whole: bool) -> tuple[Read, int]:
        """How to read parts of a blob, and its size in bytes. With `check_whole` all of it is read once, a chunk at a time, and
        checked against its digest.

        Raises:
            BlobCorrupt: a checksum does not match, or a chunk is missing; so may the reading.
            BlobIncomplete: the blob is not finished.
            NotFound: there is no such blob.
        """
        with self._database.read() as work:
            blob = work.blobs.require_ready(blob_id)
        if check_whole:
            require_whole(self._database, blob_id, 0, blob.size)
        return partial(self._pieces, blob_id, blob.chunk_size), blob.size

    def _pieces(self, blob_id: str, chunk_size: int, begin: int, end: int) -> Iterator[memoryview]:
        while begin < end:
            seq = begin // chunk_size
            piece = memoryview(self._chunk(blob_id, seq))[begin - seq * chunk_size : end - seq * chunk_size]
            if len(piece) == 0:
                return  # the file is shorter; whoever reads it says so
            yield piece
            begin += len(piece)

    def _chunk(self, blob_id: str, seq: int) -> bytes:
        if (chunk := self._kept.pop((blob_id, seq), None)) is None:
            try:
                with self._database.read() as work:
                    chunk = work.blobs.read_chunk(blob_id, seq)
            except NotFound as error:
                raise BlobCorrupt(f"blob {blob_id} lacks chunk {seq}") from error
        self._kept[blob_id, seq] = chunk
        if len(self._kept) > _NUM_KEPT:
            self._kept.popitem(last=False)
        return chunk
