"""Questions about what a job has learned, answered as jobs of their own."""
