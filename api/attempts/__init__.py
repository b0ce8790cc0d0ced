"""The attempts to run a job."""
