"""The score matrix of a job."""
