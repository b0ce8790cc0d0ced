"""Searching for the best settings of a job. The package front imports nothing: proposing needs no torch, training does."""
