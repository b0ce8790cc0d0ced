"""Sweeps: search over fields of a job."""
