"""Events of a job: in pages, or as a stream that can be cut and continued."""
