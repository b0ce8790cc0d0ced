"""Live worker processes."""
