"""Getting public data sets into a data directory."""

from ewc_client.data_fetch.fetch import FetchedFile, Meter, fetch_dataset
from ewc_client.data_fetch.published import PUBLISHED, Checksum, PublishedDataset, PublishedFile

__all__ = ["PUBLISHED", "Checksum", "FetchedFile", "Meter", "PublishedDataset", "PublishedFile", "fetch_dataset"]
