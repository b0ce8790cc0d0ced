"""Fixtures for all tests, and one thread per process: the suite runs on all cores already."""

import os

# Before torch is loaded here or in any process that a test starts: two threads a process on busy cores are far slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["tests.backends.fixtures"]
