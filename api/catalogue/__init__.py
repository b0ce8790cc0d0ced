"""What can be asked of this service: networks, data sets, methods, tasks, job states."""
