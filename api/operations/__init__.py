"""For operators: health, readiness, version, and the pages of the problem types."""
