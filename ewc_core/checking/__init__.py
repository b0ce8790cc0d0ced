"""Looking a job over before it is submitted: all that is wrong with it, and about what it will take."""
