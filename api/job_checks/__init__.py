"""Looking a job over before it is submitted."""
