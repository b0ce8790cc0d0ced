"""Large bytes in and out of the record, one short transaction per chunk."""

from store.blobs.reading import iter_range, read_blob, require_whole
from store.blobs.staging import stage_blob
from store.repositories.blobs import CHUNK_SIZE

__all__ = ["CHUNK_SIZE", "iter_range", "read_blob", "require_whole", "stage_blob"]
