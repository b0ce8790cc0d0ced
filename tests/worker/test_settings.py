"""Settings of a worker from the environment: what jobs may ask of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from worker.settings import WorkerSettings


@pytest.mark.parametrize(
    ("given", "labels"), [("", ()), ("gpu", ("gpu",)), (" gpu, fast/2 ,,", ("gpu", "fast/2"))], ids=["none", "one", "two"]
)
def test_labels_are_names_with_commas_between(monkeypatch, given, labels):
    monkeypatch.setenv("EWC_WORKER_LABELS", given)
    assert WorkerSettings().worker_labels == labels


def test_a_label_that_no_job_can_ask_for_is_refused(monkeypatch):
    monkeypatch.setenv("EWC_WORKER_LABELS", "gpu, two words")
    with pytest.raises(ValidationError, match="worker_labels"):
        WorkerSettings()


@pytest.mark.parametrize(("given", "memory"), [("", None), ("8589934592", 2**33)], ids=["none", "8 GiB"])
def test_memory_is_a_number_of_bytes_or_not_known(monkeypatch, given, memory):
    monkeypatch.setenv("EWC_WORKER_MEMORY_BYTES", given)
    assert WorkerSettings().worker_memory_bytes == memory
