"""Task switches: append or revisit a task, switch now, close the stream."""
