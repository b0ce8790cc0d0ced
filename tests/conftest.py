"""Fixtures for all tests."""

pytest_plugins = ["tests.backends.fixtures"]
