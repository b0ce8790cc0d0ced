"""Training curves of a job."""
