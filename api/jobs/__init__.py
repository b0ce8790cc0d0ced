"""Jobs: submit, read, list, cancel, pause, resume, retry."""
