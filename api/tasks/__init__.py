"""Tasks that a job has seen or will see."""
